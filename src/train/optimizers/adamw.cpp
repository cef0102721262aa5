#include "train/optimizers/adamw.h"

#include <ATen/ops/zeros_like.h>

#include <cmath>

#include "core/error.h"
#include "torch_ops/parallel.h"

namespace m2::train {
namespace {

constexpr int64_t kElementsOfATask = 1 << 15;

// The numbers of one update of one group.
struct Update {
  double keep;             // 1 − decay
  double gradient_factor;  // clipping
  double beta1, beta2;
  double step_size;   // lr/(1 − β₁ᵗ)
  double correction;  // 1/√(1 − β₂ᵗ)
  double eps;
};

template <class T>
void update(const Update& how, int64_t count, const T* gradient, T* values, T* first, T* second) {
  const T keep = static_cast<T>(how.keep), factor = static_cast<T>(how.gradient_factor);
  const T beta1 = static_cast<T>(how.beta1), rest1 = static_cast<T>(1 - how.beta1);
  const T beta2 = static_cast<T>(how.beta2), rest2 = static_cast<T>(1 - how.beta2);
  const T step = static_cast<T>(how.step_size), correction = static_cast<T>(how.correction);
  const T eps = static_cast<T>(how.eps);
  for (int64_t i = 0; i < count; ++i) {
    const T g = gradient[i] * factor;
    const T m = beta1 * first[i] + rest1 * g;
    const T v = beta2 * second[i] + rest2 * g * g;
    first[i] = m;
    second[i] = v;
    values[i] = keep * values[i] - step * m / (std::sqrt(v) * correction + eps);
  }
}

template <class T>
void update(const Update& how, const at::Tensor& gradient, const at::Tensor& values,
            const at::Tensor& first, const at::Tensor& second) {
  const T* g = gradient.const_data_ptr<T>();
  T* p = values.data_ptr<T>();
  T* m = first.data_ptr<T>();
  T* v = second.data_ptr<T>();
  at::parallel_for(0, values.numel(), kElementsOfATask, [&](int64_t begin, int64_t end) {
    update(how, end - begin, g + begin, p + begin, m + begin, v + begin);
  });
}

std::vector<ParameterGroup> make_groups(const ModelConfig& model, const OptimizerConfig& config) {
  if (config.parameter_groups == ParameterGroups::kPublished) {
    return {{"all", config.lr, config.weight_decay, {}}};
  }
  return {{"others", config.lr, config.weight_decay, {}},
          {"filter networks", model.long_conv_kernel_learning_rate, model.hyena_wd, {}},
          {"filter positions", model.hyena_lr_pos_emb, config.weight_decay, {}}};
}

size_t group_of(const Parameter& parameter, ParameterGroups groups) {
  if (groups == ParameterGroups::kPublished) return 0;
  if (parameter.initialiser.kind == InitialiserKind::kFilterBands) return 2;
  return parameter.name.find(".implicit_filter") != std::string::npos ? 1 : 0;
}

}  // namespace

AdamW::AdamW(const ParameterSet& parameters, const ModelConfig& model,
             const OptimizerConfig& config)
    : config_(config), groups_(make_groups(model, config)) {
  for (const ParameterTensor& parameter : parameters.trained()) {
    const std::string& name = parameter.description.name;
    const size_t group = group_of(parameter.description, config.parameter_groups);
    groups_[group].parameters.push_back(name);
    const at::Tensor values = parameter.values.detach();  // the same memory, without a graph
    slots_.push_back({parameter.values, at::zeros_like(values), at::zeros_like(values), group});
    state_.push_back({"exp_avg." + name, slots_.back().first_moment});
    state_.push_back({"exp_avg_sq." + name, slots_.back().second_moment});
  }
}

void AdamW::step(double lr_factor, double gradient_factor) {
  ++updates_;
  const double t = static_cast<double>(updates_);
  for (const Slot& slot : slots_) {
    const ParameterGroup& group = groups_[slot.group];
    const double lr = lr_factor * group.lr;
    const bool decoupled = config_.kind == OptimizerKind::kDecoupledAdamW;
    Update how;
    how.keep = 1 - (decoupled ? lr_factor : lr) * group.weight_decay;
    how.gradient_factor = gradient_factor;
    how.beta1 = config_.beta1;
    how.beta2 = config_.beta2;
    how.step_size = lr / (1 - std::pow(config_.beta1, t));
    how.correction = 1 / std::sqrt(1 - std::pow(config_.beta2, t));
    how.eps = config_.eps;
    const at::Tensor gradient = slot.values.grad().defined() ? slot.values.grad().contiguous()
                                                             : at::zeros_like(slot.first_moment);
    if (slot.values.scalar_type() == at::kDouble) {
      update<double>(how, gradient, slot.values, slot.first_moment, slot.second_moment);
    } else {
      M2_CHECK(slot.values.scalar_type() == at::kFloat);
      update<float>(how, gradient, slot.values, slot.first_moment, slot.second_moment);
    }
  }
}

}  // namespace m2::train
