#include "train/loop/evaluation.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <memory>

#include "train/loop/small_data.h"
#include "train/loop/stop_request.h"
#include "train/models/training_fixture.h"

namespace m2::train {
namespace {

constexpr uint64_t kSeed = 9;
constexpr int64_t kSamples = 23;
// Models in double: a few hundred terms of about 5 and their forward passes, summed in another
// order, are some thousand roundings of 1e-16.
constexpr double kRounding = 1e-12;

BatchOptions batch_options(Padding padding) {
  BatchOptions options;
  options.samples = 1;
  options.drop_last = false;
  options.max_seq_len = kMostTokens;
  options.full_length = padding == Padding::kMaxLength;
  options.seed = kSeed;
  return options;
}

ModelConfig model_config(Family family, Padding padding) {
  ModelConfig config = small_config(family);
  config.padding = padding;
  config.hidden_dropout_prob = 0.3;  // which an evaluation has none of
  if (family != Family::kM2Bert) config.attention_probs_dropout_prob = 0.3;
  return config;
}

struct Sums {
  double loss = 0;
  int64_t correct = 0, labelled = 0;

  double mean() const { return loss / static_cast<double>(labelled); }
  void add(const Sums& other) {
    loss += other.loss;
    correct += other.correct;
    labelled += other.labelled;
  }
};

// −log softmax(logits)[label], and whether no other logit is as large.
Sums word_told(const double* logits, int64_t words, int64_t label) {
  const double own = logits[label], largest = *std::max_element(logits, logits + words);
  double sum = 0;
  for (int64_t w = 0; w < words; ++w) sum += std::exp(logits[w] - largest);
  return {largest + std::log(sum) - own, own == largest ? 1 : 0, 1};
}

// Sample `number`, met for the first time, put to the model by itself.
Sums sample_told(const Model& model, const std::vector<int32_t>& sample, uint64_t number,
                 int64_t length, const Pass& pass) {
  MaskingOptions options;
  options.probability = 0.3;
  options.vocabulary_size = kFirstWord + kWords;
  options.special = kSpecial;
  options.seed = kSeed;
  const auto tokens = static_cast<int64_t>(sample.size());
  std::vector<int64_t> ids(sample.begin(), sample.end()), labels(sample.size());
  Masking(options).mask(number, 0, ids, labels);
  Batch batch;
  batch.ids = at::full({1, length}, kPad, at::kLong);
  batch.labels = at::full({1, length}, kNoLabel, at::kLong);
  batch.mask = at::zeros({1, length}, at::kLong);
  for (int64_t t = 0; t < tokens; ++t) {
    batch.ids[0][t] = ids[static_cast<size_t>(t)];
    batch.labels[0][t] = labels[static_cast<size_t>(t)];
    batch.mask[0][t] = 1;
  }
  const at::NoGradGuard no_gradients;
  const at::Tensor logits = model.label_logits(batch, pass).to(at::kDouble).contiguous();
  Sums sums;
  for (const int64_t label : labels) {
    if (label == kNoLabel) continue;
    const int64_t words = logits.size(1);
    sums.add(word_told(logits.const_data_ptr<double>() + sums.labelled * words, words, label));
  }
  return sums;
}

// Samples [first, end), each by itself: padded to full length, or not at all.
Sums told_by_hand(const Model& model, const Samples& samples, int64_t first, int64_t end,
                  Padding padding, const Pass& pass = {}) {
  Sums sums;
  for (int64_t i = first; i < end; ++i) {
    const std::vector<int32_t>& sample = samples[static_cast<size_t>(i)];
    const auto tokens = static_cast<int64_t>(sample.size());
    const int64_t length = padding == Padding::kMaxLength ? kMostTokens : tokens;
    sums.add(sample_told(model, sample, static_cast<uint64_t>(i), length, pass));
  }
  return sums;
}

class Evaluation : public testing::Test {
 protected:
  Evaluation() { at::set_num_threads(1); }  // so small a model gains nothing from more

  SampleBatches batches(Padding padding) const {
    return {data_.loader(samples_), batch_options(padding), data_.tokenizer()};
  }

  void expect_told(const Model& model, int64_t samples, Padding padding) const {
    const SampleBatches read = batches(padding);
    const Sums expected = told_by_hand(model, samples_, 0, samples, padding);
    for (const int64_t rows : {1, 5, 16}) {
      const auto found = evaluate(model, read, {samples, rows, false});
      ASSERT_TRUE(found.has_value());
      EXPECT_NEAR(found->loss, expected.mean(), kRounding * expected.mean()) << rows;
      EXPECT_EQ(found->labelled, expected.labelled) << rows;
      EXPECT_DOUBLE_EQ(found->accuracy * static_cast<double>(expected.labelled),
                       static_cast<double>(expected.correct));
      EXPECT_DOUBLE_EQ(found->perplexity(), std::exp(found->loss));
    }
  }

  SmallData data_;
  Samples samples_ = uneven_samples(kSamples);
};

TEST_F(Evaluation, OfM2BertWithoutPads) {
  const auto model = spread_model(model_config(Family::kM2Bert, Padding::kNone), at::kDouble);
  expect_told(*model, kSamples, Padding::kNone);
  expect_told(*model, 17, Padding::kNone);
}

TEST_F(Evaluation, OfM2BertPaddedToFullLength) {
  const auto model = spread_model(model_config(Family::kM2Bert, Padding::kMaxLength), at::kDouble);
  expect_told(*model, kSamples, Padding::kMaxLength);
  expect_told(*model, 17, Padding::kMaxLength);
  // Negative control: that model reads a text without its pads otherwise.
  const double padded = told_by_hand(*model, samples_, 0, kSamples, Padding::kMaxLength).mean();
  const double alone = told_by_hand(*model, samples_, 0, kSamples, Padding::kNone).mean();
  EXPECT_GT(std::abs(padded - alone), 1e-3);
}

TEST_F(Evaluation, OfAttention) {
  for (const Family family : {Family::kMosaicBert, Family::kBert}) {
    const auto model = spread_model(model_config(family, Padding::kNone), at::kDouble);
    expect_told(*model, 17, Padding::kNone);
  }
}

// Negative controls: values that a slightly wrong evaluation would have.
TEST_F(Evaluation, IsNoMeanOfMeansNorOfOtherSamples) {
  constexpr int64_t kTaken = 17, kRows = 5;
  const auto model = spread_model(model_config(Family::kM2Bert, Padding::kNone), at::kDouble);
  const auto mean = [&](int64_t first, int64_t end) {
    return told_by_hand(*model, samples_, first, end, Padding::kNone).mean();
  };
  double of_batches = 0;
  for (int64_t first = 0; first < kTaken; first += kRows) {
    of_batches += mean(first, std::min(first + kRows, kTaken)) / 4;
  }
  const double right = mean(0, kTaken);
  for (const double wrong : {of_batches, mean(0, kTaken - 1), mean(0, kTaken + 1), mean(0, 15),
                             mean(0, 20), mean(kRows, kTaken)}) {
    EXPECT_GT(std::abs(wrong - right), 1e-3);
  }
}

TEST_F(Evaluation, InBfloat16) {
  const auto model = spread_model(model_config(Family::kM2Bert, Padding::kNone), at::kFloat);
  const SampleBatches read = batches(Padding::kNone);
  Pass pass;
  pass.bf16 = true;
  const double expected = told_by_hand(*model, samples_, 0, kSamples, Padding::kNone, pass).mean();
  // Row by row the passes are the same: what is left is fp32's rounding of the softmax and its sum.
  EXPECT_NEAR(evaluate(*model, read, {kSamples, 1, true})->loss, expected, 1e-6 * expected);
  EXPECT_GT(std::abs(evaluate(*model, read, {kSamples, 1, false})->loss - expected),
            1e-5 * expected);
}

TEST_F(Evaluation, LeavesNoGradients) {
  const auto model = spread_model(model_config(Family::kM2Bert, Padding::kNone), at::kDouble);
  ASSERT_TRUE(evaluate(*model, batches(Padding::kNone), {kSamples, 5, false}).has_value());
  EXPECT_TRUE(gradients(*model).empty());
}

TEST_F(Evaluation, AStopEndsIt) {
  const auto model = spread_model(model_config(Family::kM2Bert, Padding::kNone), at::kDouble);
  const SampleBatches read = batches(Padding::kNone);
  const auto stopped = [&] {
    watch_stop_signals();
    std::raise(SIGTERM);
    std::_Exit(evaluate(*model, read, {kSamples, 5, false}) ? 1 : 0);
  };
  EXPECT_EXIT(stopped(), testing::ExitedWithCode(0), "");
}

TEST(RequireLabels, WantsAWordToTell) {
  const SmallData data;
  LoaderConfig loader = data.loader({{kCls, kSep}, {kCls, kUnk, kSep}, word_sample(0, 20)});
  loader.mlm_probability = 0.999;
  const SampleBatches batches(loader, batch_options(Padding::kNone), data.tokenizer());
  const std::string line = refusal([&] { require_labels(batches, 2); });
  EXPECT_EQ(line.find("eval_loader: its masks leave no token to tell in 2 samples"), 0u) << line;
  EXPECT_NO_THROW(require_labels(batches, 3));
}

}  // namespace
}  // namespace m2::train
