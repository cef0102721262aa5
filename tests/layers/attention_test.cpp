#include "layers/attention.h"

#include <gtest/gtest.h>

#include <cmath>

#include "kernels/layout.h"
#include "models/attention_bert.h"
#include "small_model.h"

namespace m2 {
namespace {

TEST(AlibiSlopes, OfAPowerOfTwoAreOneSeries) {
  EXPECT_EQ(alibi_slopes(1), std::vector<float>({std::exp2(-8.0f)}));
  EXPECT_EQ(alibi_slopes(4), std::vector<float>({0.25f, 0.0625f, 0.015625f, 0.00390625f}));
}

TEST(AlibiSlopes, OfAnotherNumberAreFilledUpFromTheFinerSeries) {
  const std::vector<float> twelve = alibi_slopes(12);
  ASSERT_EQ(twelve.size(), 12u);
  EXPECT_EQ(twelve[7], std::exp2(-8.0f));
  EXPECT_EQ(twelve[8], std::exp2(-0.5f));
  EXPECT_EQ(twelve[9], std::exp2(-1.5f));
  EXPECT_EQ(twelve[11], std::exp2(-3.5f));
}

// A model of random weights with biases that are not zero, so that one left out shows.
class AttentionBertTest : public testing::TestWithParam<Family> {
 protected:
  static ModelConfig make_config() {
    ModelConfig config = small_config();
    config.family = GetParam();
    config.hidden_size = 60;  // heads of 20 channels: no multiple of a channel block
    config.num_attention_heads = 3;
    config.use_monarch_mlp = config.use_glu_mlp = config.family == Family::kMosaicBert;
    config.use_positional_encodings = config.family == Family::kBert;
    config.padding = Padding::kNone;
    validate(config);
    return config;
  }

  void SetUp() override {
    config_ = make_config();
    tensors_ = std::make_shared<MemoryTensors>(config_);
    for (const std::string& name : tensors_->names()) {
      const TensorView& view = *tensors_->find(name);
      float* values = tensors_->values(name);
      for (int64_t i = 0; i < view.elements(); ++i) {
        values[i] += 0.1f * static_cast<float>((i * 7 + 3) % 11 - 5);
      }
    }
    model_ = make_encoder(Weights(config_, tensors_));
  }

  // Hidden states of one text among others, [length][channels].
  std::vector<float> hidden_of(const std::vector<std::vector<int32_t>>& ids, size_t wanted,
                               const std::vector<int32_t>& mask = {}, int threads = 2) {
    ThreadPool pool(threads);
    Workspace workspace;
    SpectrumClient spectra(0);
    Activations hidden;
    std::vector<size_t> lengths;
    std::vector<std::vector<int32_t>> zeros, ones;
    for (const auto& text : ids) {
      lengths.push_back(text.size());
      zeros.emplace_back(text.size(), 0);
      ones.emplace_back(text.size(), 1);
    }
    if (!mask.empty()) ones[wanted] = mask;
    std::vector<TokenSpan> spans;
    for (size_t i = 0; i < ids.size(); ++i) spans.push_back({ids[i], zeros[i], ones[i]});
    const RowTiles rows(lengths);
    ForwardContext context = {pool, workspace, spectra, {}};
    model_->forward(spans, rows, static_cast<int>(config_.num_hidden_layers), WantedRows::kAll,
                    context, hidden);
    const size_t channels = static_cast<size_t>(config_.hidden_size);
    std::vector<float> values;
    for (size_t row = 0; row < lengths[wanted]; ++row) {
      for (size_t c = 0; c < channels; ++c) {
        values.push_back(hidden.block(rows.texts()[wanted],
                                      c / kChannelBlock)[row * kChannelBlock + c % kChannelBlock]);
      }
    }
    return values;
  }

  static std::vector<int32_t> some_ids(size_t length, int32_t seed) {
    std::vector<int32_t> ids(length);
    for (size_t i = 0; i < length; ++i) {
      ids[i] = (static_cast<int32_t>(i) * 13 + seed) % 60;
    }
    return ids;
  }

  ModelConfig config_;
  std::shared_ptr<MemoryTensors> tensors_;
  std::unique_ptr<Encoder> model_;
};

INSTANTIATE_TEST_SUITE_P(Families, AttentionBertTest,
                         testing::Values(Family::kBert, Family::kMosaicBert),
                         [](const auto& family) { return std::string(family_name(family.param)); });

TEST_P(AttentionBertTest, NeighboursAndThreadsChangeNoBit) {
  for (const size_t length : {1u, 2u, 16u, 17u, 63u, 129u, 257u, 300u}) {
    const std::vector<int32_t> ids = some_ids(length, 5);
    const auto alone = hidden_of({ids}, 0, {}, 1);
    EXPECT_EQ(hidden_of({some_ids(3, 1), ids, some_ids(260, 2)}, 1, {}, 2), alone) << length;
    EXPECT_EQ(hidden_of({ids, some_ids(31, 9)}, 0, {}, 3), alone) << length;
  }
}

TEST_P(AttentionBertTest, PadsChangeNothingOfTheText) {
  const std::vector<int32_t> ids = some_ids(21, 4);
  std::vector<int32_t> padded = ids, mask(ids.size(), 1);
  padded.resize(40, 0);
  mask.resize(40, 0);
  const auto alone = hidden_of({ids}, 0);
  auto with_pads = hidden_of({padded}, 0, mask);
  if (GetParam() == Family::kMosaicBert) {
    for (size_t i = alone.size(); i < with_pads.size(); ++i) EXPECT_EQ(with_pads[i], 0.0f);
  }
  with_pads.resize(alone.size());
  EXPECT_EQ(with_pads, alone);
  // The negative control: without the mask they do.
  auto unmasked = hidden_of({padded}, 0);
  unmasked.resize(alone.size());
  EXPECT_NE(unmasked, alone);
}

TEST_P(AttentionBertTest, EachTokenSeesEachOther) {
  std::vector<int32_t> ids = some_ids(150, 4);
  const auto before = hidden_of({ids}, 0);
  ids.back() += 1;
  const auto after = hidden_of({ids}, 0);
  for (const size_t row : {0u, 75u, 149u}) {
    const size_t at = row * static_cast<size_t>(config_.hidden_size);
    EXPECT_NE(before[at], after[at]) << row;
  }
}

}  // namespace
}  // namespace m2
