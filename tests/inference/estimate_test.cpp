#include "inference/estimate.h"

#include <gtest/gtest.h>

#include "config/flops.h"
#include "config/presets.h"
#include "ops/gemm/matmul.h"
#include "ops/operand.h"

namespace m2 {
namespace {

// m2-bert-80M: 12 layers of in_linear and the Monarch MLP, and of out_linear.
constexpr size_t kLarge = 12u * (3 * 768 * 768 + 3 * 768 * 3072 / 4);
constexpr size_t kSensitive = 12u * 768 * 768;

class Estimate : public testing::Test {
 protected:
  ~Estimate() override { emulate_products_for_test(false); }
  const ModelConfig config_ = preset("m2-bert-80M", 2048);
};

TEST_F(Estimate, WeightsTakeTheBytesOfWhatIsMultiplied) {
  emulate_products_for_test(true);
  EXPECT_EQ(product_weight_bytes(config_, DType::kF32), 4 * (kLarge + kSensitive));
  EXPECT_EQ(product_weight_bytes(config_, DType::kBF16), 2 * (kLarge + kSensitive));
  EXPECT_EQ(product_weight_bytes(config_, DType::kI8), kLarge + 2 * kSensitive);
  emulate_products_for_test(false);
  const size_t bf16 = has_product(DType::kBF16) ? 2 : 4, int8 = has_product(DType::kI8) ? 1 : 4;
  EXPECT_EQ(product_weight_bytes(config_, DType::kI8), int8 * kLarge + bf16 * kSensitive);
}

TEST_F(Estimate, MemoryHoldsTheWeights) {
  emulate_products_for_test(true);
  const auto memory = [&](DType type) { return estimate_memory(config_, type, 512, 0, 2); };
  EXPECT_EQ(memory(DType::kF32) - memory(DType::kBF16), 2 * (kLarge + kSensitive));
  EXPECT_EQ(memory(DType::kBF16) - memory(DType::kI8), kLarge);
}

// Filters kept, fp32 reaches 0.7 of oneDNN's rate: 0.3 / 0.7 of the products' own time go beside.
TEST_F(Estimate, QuickerProductsSaveTheirOwnTimeAlone) {
  constexpr size_t kEnough = size_t{8} << 30;
  const double products = dense_flops_per_token(config_) * 2048 / 100e9;
  const auto seconds = [&](double rate) {
    return estimate_seconds(config_, 2048, kEnough, {100, rate});
  };
  EXPECT_NEAR(seconds(100), products / 0.7, 1e-9);
  EXPECT_NEAR(seconds(400), products / 4 + products * 0.3 / 0.7, 1e-9);
  EXPECT_GT(estimate_seconds(config_, 2048, 0, {100, 100}), seconds(100));
}

}  // namespace
}  // namespace m2
