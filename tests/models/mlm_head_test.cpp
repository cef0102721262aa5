// The head of masked language modelling against the published code's logits, from its own training
// checkpoints.
#include "models/mlm_head.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "checkpoint/npy.h"
#include "checkpoint/tensor_file.h"
#include "config/load_config.h"
#include "models/encoder.h"
#include "models/heads.h"

namespace m2 {
namespace {

// The goldens' own bound, as in golden_test.cpp.
constexpr double kBound = 1e-5;

class MlmHeadTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    folder_ = std::string(M2_SOURCE_DIR "/../shared/golden/") + GetParam();
    if (!std::filesystem::exists(folder_)) GTEST_SKIP() << folder_ << " is not there";
    const auto document = nlohmann::json::parse(std::ifstream(folder_ + "/trajectory.json"));
    config_ = parse_model_config(document["config"].dump(), folder_ + "/trajectory.json");
    const Weights weights(config_, open_tensor_file(folder_ + "/composer_checkpoint.pt"));
    encoder_ = make_encoder(weights);
    head_ = MlmHead::load(weights);
    ASSERT_TRUE(head_);
  }

  // Logits of the first step's labelled positions against the stored ones.
  double error(float nudge = 0) {
    const NpyFile ids_file(folder_ + "/input_ids.npy"), labels_file(folder_ + "/labels.npy");
    const NpyFile logits_file(folder_ + "/logits_step0.npy");
    const size_t texts = static_cast<size_t>(ids_file.tensor().shape[1]);
    const size_t length = static_cast<size_t>(ids_file.tensor().shape[2]);
    const size_t words = static_cast<size_t>(logits_file.tensor().shape[2]);
    const int64_t* labels = static_cast<const int64_t*>(labels_file.tensor().data);
    const float* expected = static_cast<const float*>(logits_file.tensor().data);
    const Activations& hidden =
        hidden_states(static_cast<const int64_t*>(ids_file.tensor().data), texts, length);
    std::vector<float> x(static_cast<size_t>(config_.hidden_size)), logits(head_->words());
    double difference = 0, norm = 0;
    for (size_t i = 0; i < texts * length; ++i) {
      if (labels[i] <= 0) continue;
      copy_row(hidden, rows_->texts()[i / length], i % length, x);
      x[0] += nudge;
      head_->apply(x, logits);
      for (size_t word = 0; word < words; ++word) {
        const double value = expected[i * words + word];
        difference += (logits[word] - value) * (logits[word] - value);
        norm += value * value;
      }
    }
    return std::sqrt(difference / norm);
  }

  const Activations& hidden_states(const int64_t* ids, size_t texts, size_t length) {
    std::vector<std::vector<int32_t>> rows;
    for (size_t i = 0; i < texts; ++i) rows.emplace_back(ids + i * length, ids + (i + 1) * length);
    const std::vector<int32_t> zeros(length, 0), ones(length, 1);
    std::vector<TokenSpan> spans;
    for (const auto& row : rows) spans.push_back({row, zeros, ones});
    rows_.emplace(std::vector<size_t>(texts, length));
    ForwardContext context = {pool_, workspace_, spectra_, {}};
    encoder_->forward(spans, *rows_, static_cast<int>(config_.num_hidden_layers), WantedRows::kAll,
                      context, hidden_);
    return hidden_;
  }

  std::string folder_;
  ModelConfig config_;
  std::unique_ptr<Encoder> encoder_;
  std::optional<MlmHead> head_;
  std::optional<RowTiles> rows_;
  ThreadPool pool_{2};
  Workspace workspace_;
  SpectrumClient spectra_{size_t{1} << 30};
  Activations hidden_;
};

INSTANTIATE_TEST_SUITE_P(Cases, MlmHeadTest,
                         testing::Values("m2_bert_mlm_training", "mosaic_bert_mlm_training"),
                         [](const auto& folder) { return std::string(folder.param); });

TEST_P(MlmHeadTest, LogitsAreWithinTheBound) {
  EXPECT_LT(error(), kBound);
}

TEST_P(MlmHeadTest, AnotherHiddenStateFails) {
  EXPECT_GT(error(0.01f), 10 * kBound);
}

}  // namespace
}  // namespace m2
