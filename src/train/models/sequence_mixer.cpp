#include "train/models/sequence_mixer.h"

#include "torch_ops/short_conv.h"

namespace m2::train {
namespace {

constexpr double kMixerNormEps = 1e-5;  // not the configuration's: the published code's default

}  // namespace

SequenceMixer::SequenceMixer(const ParameterSet& parameters, const ModelConfig& config,
                             const std::string& prefix)
    : in_linear_(parameters, prefix + ".in_linear"),
      out_linear_(parameters, prefix + ".out_linear"),
      short_weight_(parameters.get(prefix + ".short_filter.weight")),
      short_bias_(parameters.get(prefix + ".short_filter.bias")),
      gated_filter_(parameters, config, prefix + ".filter_fn") {
  if (config.hyena_training_additions) {
    norm_.emplace(parameters, prefix + ".layernorm", kMixerNormEps);
  }
  if (config.residual_long_conv) {
    residual_filter_.emplace(parameters, config, prefix + ".filter_fn2");
  }
}

at::Tensor SequenceMixer::apply(const at::Tensor& x, const LayerInput& input) const {
  const at::Tensor u = norm_ ? norm_->apply(x) : x;
  const int64_t length = u.size(1);
  // Split, not narrowed: the gradients of the thirds are then joined in one pass.
  const std::vector<at::Tensor> thirds =
      torch_ops::short_conv(in_linear_.apply_large(u, input.pass), short_weight_, short_bias_)
          .split(u.size(2), 2);
  torch_ops::LongFilter residual_taps;
  std::optional<at::Tensor> residual;
  if (residual_filter_) {
    residual_taps = residual_filter_->taps(length);
    residual = u;
  }
  const at::Tensor y =
      torch_ops::long_conv(thirds[0], thirds[1], thirds[2], gated_filter_.taps(length), residual,
                           residual_taps, input.lengths);
  return out_linear_.apply_large(y, input.pass).to(x.scalar_type());
}

}  // namespace m2::train
