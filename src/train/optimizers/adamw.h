// AdamW in both forms, one pass over memory a tensor.
//
//   p ← p·(1 − decay),  decay = lr/lr₀·wd (decoupled, lr₀ the peak) or lr·wd (adamw)
//   m ← β₁m + (1 − β₁)g,  v ← β₂v + (1 − β₂)g²
//   p ← p − lr·m̂/(√v̂ + eps),  m̂ = m/(1 − β₁ᵗ), v̂ = v/(1 − β₂ᵗ), t the updates with this one
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "config/model_config.h"
#include "train/config/train_config.h"
#include "train/models/parameter_set.h"

namespace m2::train {

// Parameters that share a peak rate and a decay.
struct ParameterGroup {
  std::string name;  // "all"; or "filter networks", "filter positions", "others"
  double lr = 0;
  double weight_decay = 0;
  std::vector<std::string> parameters;
};

struct NamedState {
  std::string name;  // "exp_avg.NAME", "exp_avg_sq.NAME"
  at::Tensor values;
};

class AdamW {
 public:
  // Of the trained parameters, one group or, as declared, the filters' networks with
  // long_conv_kernel_learning_rate and hyena_wd, pos_emb.z with hyena_lr_pos_emb, and the others.
  AdamW(const ParameterSet& parameters, const ModelConfig& model, const OptimizerConfig& config);

  // One update with lr = factor·peak; every gradient counts times gradient_factor (clipping). A
  // parameter without a gradient is updated with zeros, as if it were in every batch. The same bits
  // for any number of threads.
  void step(double lr_factor, double gradient_factor = 1);

  int64_t updates() const { return updates_; }
  void set_updates(int64_t updates) { updates_ = updates; }
  // The moments themselves, in the order of the parameter list: with updates() all that there is to
  // save, and to copy back into.
  const std::vector<NamedState>& state() const { return state_; }
  const std::vector<ParameterGroup>& groups() const { return groups_; }

 private:
  struct Slot {
    at::Tensor values, first_moment, second_moment;
    size_t group;
  };
  OptimizerConfig config_;
  std::vector<ParameterGroup> groups_;
  std::vector<Slot> slots_;
  std::vector<NamedState> state_;
  int64_t updates_ = 0;
};

}  // namespace m2::train
