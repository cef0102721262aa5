// What must hold of the models whatever their weights: cuts into micro-batches, padding contracts,
// dropout, recomputation, bf16.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "train/models/training_fixture.h"
#include "train/optimizers/adamw.h"

namespace m2::train {
namespace {

using Gradients = std::map<std::string, at::Tensor>;

constexpr int64_t kLength = 24;  // small_config's longest

struct Contract {
  const char* name;
  Family family;
  Padding padding;
};

constexpr Contract kContracts[] = {
    {"m2_bert_none", Family::kM2Bert, Padding::kNone},
    {"m2_bert_max_length", Family::kM2Bert, Padding::kMaxLength},
    {"mosaic_bert", Family::kMosaicBert, Padding::kNone},
    {"bert", Family::kBert, Padding::kNone},
};

ModelConfig config_of(const Contract& contract, double dropout = 0) {
  ModelConfig config = small_config(contract.family);
  config.padding = contract.padding;
  config.hidden_dropout_prob = config.attention_probs_dropout_prob = dropout;
  config.classifier_dropout = dropout;
  return config;
}

// 32 texts of 1 to 24 tokens: labels from none at all to ten a text.
Batch uneven_batch(const ModelConfig& config) {
  std::vector<int64_t> lengths;
  for (int64_t text = 0; text < 32; ++text) lengths.push_back(1 + (text * 7 + 3) % kLength);
  return random_batch(config, lengths, kLength, 3);
}

// The largest ‖a − b‖ over a parameter's ‖b‖, which counts as a thousandth of all gradients' norm
// at least: the bias of BERT's keys changes nothing, its gradient is rounding alone.
double worst_error(const Gradients& found, const Gradients& expected) {
  EXPECT_EQ(found.size(), expected.size());
  double squares = 0, worst = 0;
  const auto norm = [](const at::Tensor& x) { return x.to(at::kDouble).norm().item<double>(); };
  for (const auto& [name, values] : expected) squares += norm(values) * norm(values);
  for (const auto& [name, values] : expected) {
    const double size = std::max(norm(values), 1e-3 * std::sqrt(squares));
    worst = std::max(worst, norm(found.at(name).sub(values)) / size);
  }
  return worst;
}

class EveryModel : public testing::TestWithParam<Contract> {};

INSTANTIATE_TEST_SUITE_P(All, EveryModel, testing::ValuesIn(kContracts),
                         [](const testing::TestParamInfo<Contract>& tested) {
                           return std::string(tested.param.name);
                         });

struct Accumulated {
  double loss = 0;
  Gradients gradients;
};

// The batch in micro-batches, each sum over the labelled count of the whole batch.
Accumulated accumulate(Model& model, const Batch& batch, int64_t texts_at_a_time,
                       const Pass& pass) {
  const double labelled = batch.labels.gt(0).sum().item<double>();
  model.parameters().clear_gradients();
  Accumulated result;
  for (int64_t first = 0; first < batch.ids.size(0); first += texts_at_a_time) {
    const Batch part = part_of(batch, first, texts_at_a_time);
    const at::Tensor share = model.masked_language_model_loss(part, pass).sum / labelled;
    share.backward();
    result.loss += share.item<double>();
  }
  result.gradients = gradients(model);
  return result;
}

// In float64 rounding is 1e-16 an operation; in float32 1e-7, and the goldens show up to 6e-6 of
// gradients from the order of sums alone.
void expect_same_for_any_cut(const Contract& contract, at::ScalarType type, double loss_bound,
                             double gradient_bound) {
  const ModelConfig config = config_of(contract, 0.1);
  const auto model = spread_model(config, type);
  const Batch batch = uneven_batch(config);
  Pass pass;
  pass.training = true;
  pass.seed = 9;
  pass.step = 4;
  const Accumulated whole = accumulate(*model, batch, 32, pass);
  for (const int64_t texts : {8, 1}) {
    const Accumulated cut = accumulate(*model, batch, texts, pass);
    EXPECT_NEAR(cut.loss, whole.loss, loss_bound * whole.loss) << texts;
    EXPECT_LE(worst_error(cut.gradients, whole.gradients), gradient_bound) << texts;
  }
  // Negative control: another step's masks, that is, another dropout.
  pass.step = 5;
  EXPECT_GT(worst_error(accumulate(*model, batch, 32, pass).gradients, whole.gradients),
            100 * gradient_bound);
}

TEST_P(EveryModel, MicroBatchesGiveTheSameInDouble) {
  expect_same_for_any_cut(GetParam(), at::kDouble, 1e-12, 1e-12);
}

TEST_P(EveryModel, MicroBatchesGiveTheSameInFloat) {
  expect_same_for_any_cut(GetParam(), at::kFloat, 1e-6, 1e-5);
}

TEST_P(EveryModel, RecomputingChangesNoBit) {
  const ModelConfig config = config_of(GetParam(), 0.1);
  const auto model = spread_model(config, at::kFloat);
  const Batch batch = uneven_batch(config);
  Pass pass;
  pass.training = true;
  const Gradients kept = gradients_of(*model, batch, pass);
  pass.recompute = true;
  const Gradients recomputed = gradients_of(*model, batch, pass);
  ASSERT_EQ(recomputed.size(), kept.size());
  for (const auto& [name, values] : kept) EXPECT_TRUE(recomputed.at(name).equal(values)) << name;
}

TEST_P(EveryModel, GradientsAreTheLossesDifferences) {
  const ModelConfig config = config_of(GetParam());
  const auto model = spread_model(config, at::kDouble);
  const Batch batch = random_batch(config, {24, 9, 17}, kLength, 4);
  const Gradients found = gradients_of(*model, batch, {});
  // All parameters move at once; central differences err by step² and by 1e-16 over the step.
  constexpr double kStep = 1e-7;
  double slope = 0;
  const auto move = [&](double offset) {
    for (const ParameterTensor& parameter : model->parameters().trained()) {
      const at::Tensor direction = at::sin(at::arange(parameter.values.numel(), at::kDouble));
      parameter.values.data().add_(direction.view(parameter.values.sizes()), offset);
    }
  };
  const auto loss = [&] {
    const at::NoGradGuard no_graph;
    const MaskedLoss sum = model->masked_language_model_loss(batch, {});
    return sum.sum.item<double>() / static_cast<double>(sum.labelled);
  };
  for (const ParameterTensor& parameter : model->parameters().trained()) {
    const std::string& name = parameter.description.name;
    const Part part = parameter.description.part;
    const bool of_another_head = part == Part::kPooler || part == Part::kClassifier;
    ASSERT_EQ(found.count(name), of_another_head ? 0U : 1U) << name;
    if (of_another_head) continue;
    const at::Tensor direction = at::sin(at::arange(parameter.values.numel(), at::kDouble));
    slope += (found.at(name).flatten() * direction).sum().item<double>();
  }
  move(kStep);
  const double above = loss();
  move(-2 * kStep);
  const double below = loss();
  EXPECT_NEAR(slope, (above - below) / (2 * kStep), 1e-5 * std::abs(slope));
}

TEST_P(EveryModel, Bf16TrainsLikeFp32) {
  const ModelConfig config = config_of(GetParam());
  const Batch batch = random_batch(config, {24, 24, 20, 24}, kLength, 8);
  const auto trained_loss = [&](bool bf16) {
    ModelOptions options;
    options.scope = {.pooler = false, .mlm_head = true};
    Model model(config, options);
    OptimizerConfig settings;
    settings.lr = 5e-3;
    AdamW optimizer(model.parameters(), config, settings);
    Pass pass;
    pass.bf16 = bf16;
    double loss = 0;
    for (int step = 0; step < 25; ++step) {
      gradients_of(model, batch, pass, &loss);
      optimizer.step(1);
    }
    return loss;
  };
  const double fp32 = trained_loss(false), bf16 = trained_loss(true);
  EXPECT_LT(fp32, 0.5 * std::log(static_cast<double>(config.vocab_size)));  // it learns by heart
  EXPECT_NEAR(bf16, fp32, 0.1 * fp32 + 0.02);
}

TEST_P(EveryModel, Bf16RoundsProductsAlone) {
  const ModelConfig config = config_of(GetParam());
  const auto model = spread_model(config, at::kFloat);
  const Batch batch = uneven_batch(config);
  Pass pass;
  const Gradients fp32 = gradients_of(*model, batch, pass);
  pass.bf16 = true;
  const Gradients bf16 = gradients_of(*model, batch, pass);
  for (const auto& [name, values] : bf16) EXPECT_EQ(values.scalar_type(), at::kFloat) << name;
  // bf16 keeps 8 bits: 2e-3 a rounding. That it is seen at all shows that products are in bf16.
  EXPECT_LT(relative_error(bf16.at("cls.predictions.transform.dense.weight"),
                           fp32.at("cls.predictions.transform.dense.weight")),
            0.1);
  EXPECT_GT(worst_error(bf16, fp32), 1e-3);
}

TEST_P(EveryModel, ClassLogitsDependOnDropoutInTrainingAlone) {
  const ModelConfig config = config_of(GetParam(), 0.1);
  const auto model = spread_model(config, at::kDouble);
  const Batch batch = random_batch(config, {24, 5, 24}, kLength, 2);
  const at::Tensor logits = model->class_logits(batch, {});
  EXPECT_EQ(logits.sizes(), at::IntArrayRef({3, 3}));
  Pass pass;
  pass.seed = 1;
  EXPECT_TRUE(model->class_logits(batch, pass).equal(logits));
  pass.training = true;
  EXPECT_GT(relative_error(model->class_logits(batch, pass), logits), 1e-3);
  logits.sum().backward();
  EXPECT_TRUE(model->parameters().get("bert.pooler.dense.weight").grad().defined());
}

TEST_P(EveryModel, NoLabelAtAllIsALossOfZeroWithZeroGradients) {
  const ModelConfig config = config_of(GetParam());
  const auto model = spread_model(config, at::kFloat);
  const Batch batch = random_batch(config, {1, 1}, kLength, 2);
  const MaskedLoss loss = model->masked_language_model_loss(batch, {}, true);
  EXPECT_EQ(loss.labelled, 0);
  EXPECT_EQ(loss.correct, 0);
  EXPECT_EQ(loss.sum.item<double>(), 0);
  loss.sum.backward();
  for (const auto& [name, values] : gradients(*model)) {
    EXPECT_EQ(values.abs().max().item<double>(), 0) << name;
  }
}

// Hidden states of a text alone, at its own length.
at::Tensor alone(const Model& model, const Batch& batch, int64_t text, int64_t length) {
  Batch one = part_of(batch, text, 1);
  for (at::Tensor* tensor : {&one.ids, &one.types, &one.mask})
    *tensor = tensor->narrow(1, 0, length);
  return model.encode(one, {});
}

TEST_P(EveryModel, PadsAreLeftOutOrMixedInAsTheContractSays) {
  const ModelConfig config = config_of(GetParam());
  const auto model = spread_model(config, at::kDouble);
  const std::vector<int64_t> lengths = {24, 1, 7, 13, 23};
  const Batch batch = random_batch(config, lengths, kLength, 6);
  const at::Tensor hidden = model->encode(batch, {});
  const bool mixed_in = config.family == Family::kM2Bert && config.padding == Padding::kMaxLength;
  for (size_t text = 0; text < lengths.size(); ++text) {
    const int64_t length = lengths[text], index = static_cast<int64_t>(text);
    const double error = relative_error(hidden.narrow(0, index, 1).narrow(1, 0, length),
                                        alone(*model, batch, index, length));
    if (mixed_in && length < kLength) {
      EXPECT_GT(error, 1e-3) << length;
    } else {
      EXPECT_LT(error, 1e-12) << length;
    }
  }
  if (config.family != Family::kMosaicBert) return;
  EXPECT_EQ((hidden * batch.mask.eq(0).unsqueeze(2)).abs().max().item<double>(), 0);
}

TEST_P(EveryModel, FrozenPadRowHasNoGradientFromTheInput) {
  const ModelConfig config = config_of(GetParam());
  const Batch batch = uneven_batch(config);
  const auto row_gradient = [&](bool freeze, int64_t row) {
    const auto model = spread_model(config, at::kDouble, freeze);
    model->class_logits(batch, {}).square().sum().backward();
    const std::string words = "bert.embeddings.word_embeddings.weight";
    return model->parameters().get(words).grad().select(0, row).norm().item<double>();
  };
  const bool mixed_in = config.family == Family::kM2Bert && config.padding == Padding::kMaxLength;
  EXPECT_EQ(row_gradient(true, 0), 0);
  EXPECT_EQ(row_gradient(false, 0) > 0, mixed_in);
  EXPECT_GT(row_gradient(true, 5), 0);
}

TEST(Model, RefusesPadsBeforeText) {
  const ModelConfig config = config_of(kContracts[0]);
  const auto model = spread_model(config, at::kFloat);
  Batch batch = random_batch(config, {7}, kLength, 1);
  batch.mask = batch.mask.flip(1);
  EXPECT_ANY_THROW(model->encode(batch, {}));
}

TEST(Model, CountsCorrectWords) {
  const ModelConfig config = config_of(kContracts[0]);
  const auto model = spread_model(config, at::kFloat);
  Batch batch = uneven_batch(config);
  const at::Tensor best = model->label_logits(batch, {}).argmax(1);
  const int64_t count = best.size(0);
  ASSERT_GT(count, 20);
  // Every third label is what the model says (where that may be a label), the others another word.
  const at::Tensor third = at::arange(count).remainder(3).eq(0).logical_and(best.gt(0));
  const at::Tensor other = best.remainder(config.vocab_size - 1) + 1;
  batch.labels.masked_scatter_(batch.labels.gt(0), at::where(third, best, other));
  const MaskedLoss loss = model->masked_language_model_loss(batch, {}, true);
  EXPECT_EQ(loss.labelled, count);
  EXPECT_EQ(loss.correct, third.sum().item<int64_t>());
}

}  // namespace
}  // namespace m2::train
