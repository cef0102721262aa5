// AdamW against its formula, schedules, the gradients' norm.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "train/models/training_fixture.h"
#include "train/optimizers/adamw.h"
#include "train/optimizers/gradient_norm.h"
#include "train/optimizers/scheduler.h"

namespace m2::train {
namespace {

OptimizerConfig settings(OptimizerKind kind) {
  OptimizerConfig config;
  config.kind = kind;
  config.lr = 0.02;
  config.beta1 = 0.8;
  config.beta2 = 0.95;
  config.eps = 1e-3;
  config.weight_decay = 0.3;
  return config;
}

// A gradient for every parameter that trains, another each step.
void set_gradients(Model& model, int step) {
  int64_t seed = step;
  for (const ParameterTensor& parameter : model.parameters().trained()) {
    const at::Tensor wave = at::sin(at::arange(parameter.values.numel(), at::kDouble) + ++seed);
    parameter.values.mutable_grad() =
        wave.view(parameter.values.sizes()).to(parameter.values.scalar_type());
  }
}

struct Expected {
  at::Tensor p, m, v;
};

// The formula of adamw.h, in expressions.
void plain_step(Expected& state, const at::Tensor& g, const OptimizerConfig& config, double factor,
                int t) {
  const double lr = factor * config.lr;
  const bool decoupled = config.kind == OptimizerKind::kDecoupledAdamW;
  state.p = state.p * (1 - (decoupled ? lr / config.lr : lr) * config.weight_decay);
  state.m = config.beta1 * state.m + (1 - config.beta1) * g;
  state.v = config.beta2 * state.v + (1 - config.beta2) * g * g;
  const at::Tensor m_hat = state.m / (1 - std::pow(config.beta1, t));
  const at::Tensor v_hat = state.v / (1 - std::pow(config.beta2, t));
  state.p = state.p - lr * m_hat / (v_hat.sqrt() + config.eps);
}

TEST(AdamW, FollowsItsFormulaInBothForms) {
  constexpr double kFactors[] = {0, 0.5, 1, 0.7, 0.1};  // step 0 moves the moments alone
  constexpr double kClip = 0.4;
  for (const auto kind : {OptimizerKind::kDecoupledAdamW, OptimizerKind::kAdamW}) {
    const ModelConfig model_config = small_config(Family::kM2Bert);
    const auto model = spread_model(model_config, at::kDouble);
    const OptimizerConfig config = settings(kind);
    AdamW optimizer(model->parameters(), model_config, config);
    std::vector<Expected> expected;
    for (const ParameterTensor& parameter : model->parameters().trained()) {
      const at::Tensor p = parameter.values.detach().clone();
      expected.push_back({p, at::zeros_like(p), at::zeros_like(p)});
    }
    const at::Tensor t_before =
        model->parameters().get("bert.encoder.layer.0.attention.filter_fn.pos_emb.t").clone();
    for (int step = 0; step < 5; ++step) {
      set_gradients(*model, step);
      const auto trained = model->parameters().trained();
      for (size_t i = 0; i < trained.size(); ++i) {
        plain_step(expected[i], trained[i].values.grad() * kClip, config, kFactors[step], step + 1);
      }
      optimizer.step(kFactors[step], kClip);
    }
    const auto trained = model->parameters().trained();
    for (size_t i = 0; i < trained.size(); ++i) {
      EXPECT_LT(relative_error(trained[i].values, expected[i].p), 1e-13)
          << trained[i].description.name;
      EXPECT_LT(relative_error(optimizer.state()[2 * i].values, expected[i].m), 1e-13);
      EXPECT_LT(relative_error(optimizer.state()[2 * i + 1].values, expected[i].v), 1e-13);
    }
    EXPECT_EQ(optimizer.updates(), 5);
    EXPECT_TRUE(model->parameters()
                    .get("bert.encoder.layer.0.attention.filter_fn.pos_emb.t")
                    .equal(t_before));
  }
}

// All parameters one after the other.
at::Tensor all_values(const Model& model) {
  std::vector<at::Tensor> parts;
  for (const ParameterTensor& parameter : model.parameters().all()) {
    parts.push_back(parameter.values.detach().flatten());
  }
  return at::cat(parts);
}

ModelConfig wider_config() {
  ModelConfig config = small_config(Family::kM2Bert);
  config.vocab_size = 5003;  // 180,144 words' numbers: more than one task and one piece
  return config;
}

TEST(AdamW, ThreadsChangeNoBit) {
  const auto after = [](int threads) {
    const int before = at::get_num_threads();
    at::set_num_threads(threads);
    const ModelConfig model_config = wider_config();
    const auto model = spread_model(model_config, at::kFloat);
    AdamW optimizer(model->parameters(), model_config, settings(OptimizerKind::kDecoupledAdamW));
    double norm = 0;
    for (int step = 0; step < 3; ++step) {
      set_gradients(*model, step);
      norm = gradient_norm(model->parameters().trained());
      optimizer.step(1, clipping_factor(norm, 1));
    }
    at::set_num_threads(before);
    return std::pair(all_values(*model), norm);
  };
  const auto [one_values, one_norm] = after(1);
  const auto [three_values, three_norm] = after(3);
  EXPECT_TRUE(one_values.equal(three_values));
  EXPECT_EQ(one_norm, three_norm);
}

TEST(AdamW, GoesOnFromItsState) {
  const ModelConfig model_config = small_config(Family::kM2Bert);
  const OptimizerConfig config = settings(OptimizerKind::kDecoupledAdamW);
  const auto straight = spread_model(model_config, at::kFloat);
  const auto resumed = spread_model(model_config, at::kFloat);
  AdamW first(straight->parameters(), model_config, config);
  AdamW second(resumed->parameters(), model_config, config);
  set_gradients(*straight, 0);
  first.step(1);
  for (size_t i = 0; i < first.state().size(); ++i) {
    ASSERT_EQ(second.state()[i].name, first.state()[i].name);
    second.state()[i].values.copy_(first.state()[i].values);
  }
  second.set_updates(first.updates());
  for (const ParameterTensor& parameter : straight->parameters().all()) {
    resumed->parameters().get(parameter.description.name).data().copy_(parameter.values);
  }
  for (Model* model : {straight.get(), resumed.get()}) set_gradients(*model, 1);
  first.step(0.5);
  second.step(0.5);
  EXPECT_TRUE(all_values(*straight).equal(all_values(*resumed)));
}

TEST(AdamW, DeclaredGroupsHaveTheFiltersApart) {
  ModelConfig model_config = small_config(Family::kM2Bert);
  model_config.long_conv_kernel_learning_rate = 0.25;
  model_config.hyena_wd = 0.125;
  model_config.hyena_lr_pos_emb = 0.5;
  const auto model = spread_model(model_config, at::kDouble);
  OptimizerConfig config = settings(OptimizerKind::kDecoupledAdamW);
  EXPECT_EQ(AdamW(model->parameters(), model_config, config).groups().size(), 1U);
  config.parameter_groups = ParameterGroups::kDeclared;
  AdamW optimizer(model->parameters(), model_config, config);
  // Without gradients an update is decay alone: what is left shows the group.
  std::map<std::string, at::Tensor> before;
  for (const ParameterTensor& parameter : model->parameters().trained()) {
    before[parameter.description.name] = parameter.values.detach().clone();
  }
  optimizer.step(1);
  const std::string filter = "bert.encoder.layer.1.attention.filter_fn2.";
  const auto left = [&](const std::string& name) {
    return (model->parameters().get(name).detach() / before.at(name)).flatten()[0].item<double>();
  };
  EXPECT_NEAR(left(filter + "implicit_filter_rev.2.weight"), 1 - 0.125, 1e-12);
  EXPECT_NEAR(left(filter + "implicit_filter.1.freq"), 1 - 0.125, 1e-12);
  EXPECT_NEAR(left(filter + "bias"), 1 - 0.3, 1e-12);
  EXPECT_NEAR(left("cls.predictions.transform.dense.weight"), 1 - 0.3, 1e-12);
  ASSERT_EQ(optimizer.groups().size(), 3U);
  size_t count = 0;
  for (const ParameterGroup& group : optimizer.groups()) {
    count += group.parameters.size();
    for (const std::string& name : group.parameters) {
      EXPECT_EQ(group.lr == 0.5, name.ends_with("pos_emb.z")) << name;
      EXPECT_EQ(group.lr == 0.25, name.find("implicit_filter") != std::string::npos) << name;
    }
  }
  EXPECT_EQ(count, model->parameters().trained().size());
}

TEST(GradientNorm, IsTheNormOfAllTogether) {
  const auto model = spread_model(wider_config(), at::kFloat);
  set_gradients(*model, 3);
  double squares = 0;
  for (const ParameterTensor& parameter : model->parameters().trained()) {
    squares += parameter.values.grad().to(at::kDouble).square().sum().item<double>();
  }
  EXPECT_NEAR(gradient_norm(model->parameters().trained()), std::sqrt(squares),
              1e-12 * std::sqrt(squares));
  at::Tensor& last = model->parameters().trained().back().values.mutable_grad();
  last.flatten()[-1].fill_(std::numeric_limits<float>::quiet_NaN());
  EXPECT_TRUE(std::isnan(gradient_norm(model->parameters().trained())));
  model->parameters().clear_gradients();
  EXPECT_EQ(gradient_norm(model->parameters().trained()), 0);
}

TEST(ClippingFactor, ShortensLongGradientsAlone) {
  EXPECT_EQ(clipping_factor(0.5, 1), 1);
  EXPECT_DOUBLE_EQ(clipping_factor(4, 1), 1 / 4.000001);
  EXPECT_DOUBLE_EQ(clipping_factor(1, 1), 1 / 1.000001);
}

TEST(Schedule, HasThePublishedValues) {
  const Schedule linear = {SchedulerKind::kLinearDecay, 10, 110, 0.02};
  EXPECT_EQ(learning_rate_factor(linear, 0), 0);
  EXPECT_DOUBLE_EQ(learning_rate_factor(linear, 3), 0.3);
  EXPECT_EQ(learning_rate_factor(linear, 10), 1);
  EXPECT_DOUBLE_EQ(learning_rate_factor(linear, 60), 0.51);
  EXPECT_NEAR(learning_rate_factor(linear, 110), 0.02, 1e-15);
  EXPECT_NEAR(learning_rate_factor(linear, 1000), 0.02, 1e-15);
  const Schedule cosine = {SchedulerKind::kCosine, 10, 110, 0.1};
  EXPECT_EQ(learning_rate_factor(cosine, 10), 1);
  EXPECT_DOUBLE_EQ(learning_rate_factor(cosine, 35),
                   0.1 + 0.9 * (1 + std::cos(std::numbers::pi / 4)) / 2);
  EXPECT_NEAR(learning_rate_factor(cosine, 60), 0.55, 1e-15);
  EXPECT_NEAR(learning_rate_factor(cosine, 111), 0.1, 1e-15);
  const Schedule constant = {SchedulerKind::kConstant, 4, 10, 0};
  EXPECT_DOUBLE_EQ(learning_rate_factor(constant, 1), 0.25);
  EXPECT_EQ(learning_rate_factor(constant, 9), 1);
  EXPECT_EQ(learning_rate_factor(constant, 90), 1);
  const Schedule no_warmup = {SchedulerKind::kLinearDecay, 0, 4, 0};
  EXPECT_EQ(learning_rate_factor(no_warmup, 0), 1);
  EXPECT_EQ(learning_rate_factor(no_warmup, 4), 0);
}

}  // namespace
}  // namespace m2::train
