#include "train/models/dimension_mixer.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/gelu.h>

#include "torch_ops/gated_mlp.h"
#include "train/models/dropout.h"

namespace m2::train {
namespace {

// The parts' names after the layer's.
struct MlpNames {
  const char* first;
  const char* second;
  const char* norm;
};

MlpNames names_of(const ModelConfig& config) {
  if (config.family == Family::kBert) {
    return {".intermediate.dense", ".output.dense", ".output.LayerNorm"};
  }
  return {".mlp.gated_layers", ".mlp.wo", ".mlp.layernorm"};
}

}  // namespace

DimensionMixer::DimensionMixer(const ParameterSet& parameters, const ModelConfig& config,
                               const std::string& prefix)
    : first_(parameters, prefix + names_of(config).first,
             (config.use_glu_mlp ? 2 : 1) * config.intermediate_size),
      second_(parameters, prefix + names_of(config).second, config.hidden_size),
      norm_(parameters, prefix + names_of(config).norm, config.layer_norm_eps),
      gated_(config.use_glu_mlp),
      dropout_at_output_(config.family == Family::kBert),
      dropout_(config.hidden_dropout_prob) {}

at::Tensor DimensionMixer::apply(const at::Tensor& x, const LayerInput& input) const {
  const at::Tensor h = first_.apply(x, input.pass);
  const double within = dropout_at_output_ ? 0 : dropout_;
  const at::Tensor active =
      gated_ ? torch_ops::gelu_gate(h, dropout_counter(h, within, DropoutPlace::kMlp, input))
             : dropout(at::gelu(h), within, DropoutPlace::kMlp, input);
  at::Tensor y = second_.apply(active, input.pass).to(x.scalar_type());
  if (dropout_at_output_) y = dropout(y, dropout_, DropoutPlace::kMlp, input);
  return norm_.apply(y + x);
}

}  // namespace m2::train
