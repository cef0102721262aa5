// Which weights the encoders multiply in which number type: the parameter list says it, the layers
// do it, and files store them by it.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/random.h"
#include "kernels/number_types.h"
#include "layers/small_model.h"
#include "models/encoder.h"
#include "models/heads.h"
#include "ops/operand.h"

namespace m2 {
namespace {

constexpr size_t kLength = 37;

// The values as int8 rows or bf16 numbers hold them.
void round_as(DType type, size_t width, std::span<float> values) {
  std::vector<int8_t> integers(width);
  for (size_t first = 0; first < values.size(); first += width) {
    float* row = values.data() + first;
    const float scale = type == DType::kI8 ? quantise_weights(row, width, integers.data()) : 0;
    for (size_t i = 0; i < width; ++i) {
      row[i] = type == DType::kI8 ? scale * static_cast<float>(integers[i])
                                  : bf16_to_float(float_to_bf16(row[i]));
    }
  }
}

class ProductsTest : public testing::TestWithParam<Family> {
 protected:
  ProductsTest() : config_(small_config()) {
    config_.family = GetParam();
    config_.num_hidden_layers = 1;
    config_.use_monarch_mlp = config_.use_glu_mlp = config_.family != Family::kBert;
    config_.padding = Padding::kNone;
    validate(config_);
    tensors_ = std::make_shared<MemoryTensors>(config_);
    // No value that rounding leaves as it is, and none without a say.
    Random random(7, "products test");
    for (const Parameter& parameter : parameters(config_)) {
      for (float& value : values(parameter)) value += 0.1f * static_cast<float>(random.normal());
    }
  }
  ~ProductsTest() override { emulate_products_for_test(false); }

  std::span<float> values(const Parameter& parameter) {
    return {tensors_->values(parameter.name), static_cast<size_t>(parameter.elements())};
  }

  // Hidden states of one text, [kLength][hidden_size].
  std::vector<float> hidden(std::optional<DType> products) const {
    const std::unique_ptr<Encoder> encoder = make_encoder(Weights(config_, tensors_, products));
    std::vector<int32_t> ids(kLength), types(kLength, 0), mask(kLength, 1);
    for (size_t i = 0; i < kLength; ++i) ids[i] = static_cast<int32_t>(i * 13 % 60);
    const TokenSpan text = {ids, types, mask};
    const RowTiles rows(std::vector<size_t>{kLength});
    ThreadPool pool(1);
    Workspace workspace;
    SpectrumClient spectra(0);
    ForwardContext context = {pool, workspace, spectra, {}};
    Activations states;
    encoder->forward({&text, 1}, rows, static_cast<int>(config_.num_hidden_layers),
                     WantedRows::kAll, context, states);
    const size_t channels = static_cast<size_t>(config_.hidden_size);
    std::vector<float> out(kLength * channels);
    for (size_t row = 0; row < kLength; ++row) {
      copy_row(states, rows.texts()[0], row, std::span(out).subspan(row * channels, channels));
    }
    return out;
  }

  // Whether the encoder rounds this weight so by itself: rounded before, it then changes nothing.
  bool rounds(const Parameter& parameter, DType type, DType products,
              const std::vector<float>& before) {
    const std::span<float> stored = values(parameter);
    const std::vector<float> kept(stored.begin(), stored.end());
    round_as(type, static_cast<size_t>(parameter.shape.back()), stored);
    const bool same = hidden(products) == before;
    std::copy(kept.begin(), kept.end(), stored.begin());
    return same;
  }

  // Stores weights as `m2 convert --dtype int8` does.
  void store_as_int8() {
    for (const Parameter& parameter : parameters(config_)) {
      const std::span<float> stored = values(parameter);
      if (parameter.product == Product::kSensitive) {
        auto& narrow = narrow_.emplace_back(stored.size());
        ASSERT_TRUE(narrow_from_float(DType::kBF16, stored, narrow.data()));
        tensors_->tensor(parameter.name) = {DType::kBF16, parameter.shape, narrow.data()};
      }
      if (parameter.product != Product::kLarge) continue;
      const size_t width = static_cast<size_t>(parameter.shape.back());
      auto& integers = integers_.emplace_back(stored.size());
      auto& scales = scales_.emplace_back(stored.size() / width);
      for (size_t row = 0; row < scales.size(); ++row) {
        scales[row] =
            quantise_weights(stored.data() + row * width, width, integers.data() + row * width);
      }
      tensors_->tensor(parameter.name) = {DType::kI8, parameter.shape, integers.data()};
      tensors_->add(scale_name(parameter.name),
                    {DType::kF32, {parameter.outputs()}, scales.data()});
    }
  }

  ModelConfig config_;
  std::shared_ptr<MemoryTensors> tensors_;
  std::vector<std::vector<uint16_t>> narrow_;
  std::vector<std::vector<int8_t>> integers_;
  std::vector<std::vector<float>> scales_;
};

INSTANTIATE_TEST_SUITE_P(Families, ProductsTest,
                         testing::Values(Family::kM2Bert, Family::kMosaicBert, Family::kBert),
                         [](const auto& family) { return std::string(family_name(family.param)); });

TEST_P(ProductsTest, TheLayersRoundWhatTheListSays) {
  const std::vector<float> bf16 = hidden(DType::kBF16), int8 = hidden(DType::kI8);
  for (const Parameter& parameter : parameters(config_, {.pooler = false})) {
    if (!parameter.tied_to.empty()) continue;
    SCOPED_TRACE(parameter.name);
    EXPECT_EQ(rounds(parameter, DType::kBF16, DType::kBF16, bf16),
              parameter.product != Product::kNone);
    EXPECT_EQ(rounds(parameter, DType::kBF16, DType::kI8, int8),
              parameter.product == Product::kSensitive);
    EXPECT_EQ(rounds(parameter, DType::kI8, DType::kI8, int8),
              parameter.product == Product::kLarge);
  }
}

TEST_P(ProductsTest, StoredAsInt8TheyGiveTheSameBits) {
  std::map<bool, std::vector<float>> fp32, int8;
  for (const bool emulated : {false, true}) {
    emulate_products_for_test(emulated);
    fp32[emulated] = hidden(DType::kF32);
    int8[emulated] = hidden(DType::kI8);
    EXPECT_NE(fp32[emulated], int8[emulated]);
  }
  store_as_int8();
  for (const bool emulated : {false, true}) {
    SCOPED_TRACE(emulated);
    emulate_products_for_test(emulated);
    EXPECT_EQ(hidden(std::nullopt), int8[emulated]);
    EXPECT_EQ(hidden(DType::kI8), int8[emulated]);
  }
  // Asked for fp32 it multiplies the rounded weights with activations as they are.
  const std::vector<float> widened = hidden(DType::kF32);
  EXPECT_NE(widened, fp32[true]);
  EXPECT_NE(widened, int8[true]);
}

}  // namespace
}  // namespace m2
