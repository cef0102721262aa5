#include "ops/linear.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "core/random.h"
#include "kernels/layout.h"
#include "kernels/number_types.h"

namespace m2 {
namespace {

std::vector<float> random_floats(size_t count, uint64_t seed) {
  Random random(seed, "linear test");
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(random.normal());
  return values;
}

AlignedBuffer<float> padded_rows(size_t rows, size_t width, size_t stride, uint64_t seed) {
  const auto values = random_floats(rows * width, seed);
  AlignedBuffer<float> tile(rows * stride);
  std::fill(tile.data(), tile.data() + tile.size(), 0.0f);
  for (size_t row = 0; row < rows; ++row) {
    std::copy_n(values.data() + row * width, width, tile.data() + row * stride);
  }
  return tile;
}

struct Case {
  size_t blocks, in, out;
  bool with_bias;
};

// ‖y − x·Wᵀ − bias‖ / ‖x·Wᵀ + bias‖ against sums in double; with `reverse`, of the rows in reverse.
double error_of(const Case& shape, size_t rows, const Linear& linear, const float* weight,
                const float* bias, const float* x, const float* y, bool reverse = false) {
  const size_t p = round_up(shape.in, shape.blocks) / shape.blocks;
  const size_t q = round_up(shape.out, shape.blocks) / shape.blocks;
  double difference = 0, norm = 0;
  for (size_t row = 0; row < rows; ++row) {
    const float* found = y + (reverse ? rows - 1 - row : row) * linear.out_stride();
    for (size_t o = 0; o < shape.out; ++o) {
      double sum = shape.with_bias ? bias[o] : 0.0;
      const size_t block = o / q;
      for (size_t i = 0; i < p && block * p + i < shape.in; ++i) {
        sum += static_cast<double>(weight[o * p + i]) * x[row * linear.in_stride() + block * p + i];
      }
      difference += (found[o] - sum) * (found[o] - sum);
      norm += sum * sum;
    }
  }
  return std::sqrt(difference / norm);
}

// A sum of `in` fp32 products in another order: about eps·sqrt(in) in relative L2, 2e-6 at 1,000.
// bf16 rounds both factors by 2^-9 at most, 2^-9/√3 in the mean: 0.0016 together. int8 rounds an
// operand by half a step of a 127th of the row's largest value, for normal numbers some 3 times the
// mean: 0.5/√3·3/127 = 0.007 each, 0.01 together; a row of few values is coarser.
double bound_of(DType type) {
  return type == DType::kF32 ? 2e-6 : type == DType::kBF16 ? 3e-3 : 2e-2;
}

class LinearTest : public testing::TestWithParam<std::tuple<Case, DType>> {
 protected:
  void SetUp() override { emulate_products_for_test(true); }
  void TearDown() override { emulate_products_for_test(false); }
};

TEST_P(LinearTest, MatchesSumsInDouble) {
  const auto& [shape, type] = GetParam();
  const size_t p = round_up(shape.in, shape.blocks) / shape.blocks;
  const size_t q = round_up(shape.out, shape.blocks) / shape.blocks;
  const auto weight = random_floats(shape.blocks * p * q, 1);
  const auto bias = random_floats(shape.out, 2);
  const Linear linear({shape.in, shape.out, tile_stride(shape.in, shape.blocks),
                       tile_stride(shape.out) + 16, shape.blocks, type},
                      weight.data(), shape.with_bias ? bias.data() : nullptr);
  OperandBuffer operand;
  for (const size_t rows : {kTileStep, 2 * kTileStep, 3 * kTileStep, kTileRows}) {
    const AlignedBuffer<float> x = padded_rows(rows, shape.in, linear.in_stride(), 3);
    AlignedBuffer<float> y(rows * linear.out_stride());
    linear.apply(rows, x.data(), operand, y.data());
    const auto error = [&](bool reverse) {
      return error_of(shape, rows, linear, weight.data(), bias.data(), x.data(), y.data(), reverse);
    };
    EXPECT_LT(error(false), bound_of(type)) << rows;
    EXPECT_GT(error(true), 0.5) << "rows in reverse must not pass";
    if (type != DType::kF32 && shape.in > 16) {
      EXPECT_GT(error(false), bound_of(type) / 20) << "was it rounded at all?";
    }
    for (size_t row = 0; row < rows; ++row) {
      for (size_t o = shape.out; o < linear.out_stride(); ++o) {
        EXPECT_EQ(y[row * linear.out_stride() + o], 0.0f);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, LinearTest,
    testing::Combine(testing::Values(Case{1, 1, 1, true}, Case{1, 5, 16, true},
                                     Case{1, 60, 180, true}, Case{1, 768, 2304, true},
                                     Case{1, 129, 127, false}, Case{4, 64, 512, false},
                                     Case{8, 60, 500, false}, Case{8, 250, 60, true},
                                     Case{5, 64, 33, true}, Case{4, 768, 1536, false}),
                     testing::Values(DType::kF32, DType::kBF16, DType::kI8)));

TEST(Linear, ARowDoesNotDependOnItsNeighbours) {
  const auto weight = random_floats(96 * 64, 1);
  for (const DType type : {DType::kF32, DType::kBF16, DType::kI8}) {
    emulate_products_for_test(true);
    const Linear linear({96, 64, 96, 64, 1, type}, weight.data(), nullptr);
    emulate_products_for_test(false);
    AlignedBuffer<float> x = padded_rows(kTileRows, 96, 96, 2);
    AlignedBuffer<float> y(kTileRows * 64), again(kTileRows * 64);
    OperandBuffer operand;
    linear.apply(kTileRows, x.data(), operand, y.data());
    for (size_t row = 1; row < kTileRows; ++row) std::fill_n(x.data() + row * 96, 96, 7.0f);
    linear.apply(kTileRows, x.data(), operand, again.data());
    EXPECT_EQ(std::memcmp(y.data(), again.data(), 64 * sizeof(float)), 0);
  }
}

// Where the machine lacks the products, the weights are rounded all the same, the rows are not.
TEST(Linear, WidensWhatTheMachineCannotMultiply) {
  const Case shape = {1, 96, 64, false};
  const auto weight = random_floats(96 * 64, 1);
  const AlignedBuffer<float> x = padded_rows(kTileRows, 96, 96, 2);
  for (const DType type : {DType::kBF16, DType::kI8}) {
    const Linear linear({96, 64, 96, 64, 1, type}, weight.data(), nullptr);
    AlignedBuffer<float> y(kTileRows * 64);
    OperandBuffer operand;
    linear.apply(kTileRows, x.data(), operand, y.data());
    const double error =
        error_of(shape, kTileRows, linear, weight.data(), nullptr, x.data(), y.data());
    EXPECT_LT(error, bound_of(type));
    EXPECT_GT(error, bound_of(type) / 20);
  }
}

TEST(Linear, PanelsEndWhereTheyAreCut) {
  const auto weight = random_floats(500 * 8, 1);
  const Linear linear({16, 500, 16, 512, 2, DType::kF32, {100, 350}}, weight.data(), nullptr);
  std::vector<size_t> ends;
  for (const Linear::Panel& panel : linear.panels()) {
    EXPECT_EQ(panel.first, ends.empty() ? 0 : ends.back());
    EXPECT_EQ(panel.block, panel.first / 250);
    EXPECT_LE(panel.width, kPanelWidth);
    ends.push_back(panel.first + panel.width);
  }
  EXPECT_EQ(ends, std::vector<size_t>({100, 250, 350, 500}));
}

// 255 · 127 · 64 in each sum: pairs of such products overflow 16 bits, where hardware without VNNI
// would saturate in silence.
TEST(PackedMatrix, SumsOfLargeIntegersAreExact) {
  constexpr size_t kInner = 64, kColumns = 48;
  const std::vector<int8_t> weight(kColumns * kInner, 127);
  const PackedMatrix matrix({DType::kI8, kInner, kColumns, kInner, kColumns, false}, weight.data(),
                            kInner, nullptr);
  const std::vector<uint8_t> x(kTileRows * kInner, 255);
  std::vector<int32_t> y(kTileRows * kColumns);
  matrix.multiply(kTileRows, x.data(), y.data());
  EXPECT_EQ(y, std::vector<int32_t>(y.size(), 255 * 127 * 64));
}

}  // namespace
}  // namespace m2
