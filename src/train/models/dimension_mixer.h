// The MLP of a layer, with its residual and norm.
#pragma once

#include <string>

#include "train/models/linear.h"

namespace m2::train {

class DimensionMixer {
 public:
  // `prefix` is the layer's.
  DimensionMixer(const ParameterSet& parameters, const ModelConfig& config,
                 const std::string& prefix);
  // LN(x + second(activation(first(x)))), the activation GELU or, gated, GELU(h[:I]) ⊙ h[I:].
  at::Tensor apply(const at::Tensor& x, const LayerInput& input) const;

 private:
  MlpLinear first_, second_;
  Norm norm_;
  bool gated_;
  bool dropout_at_output_;  // BERT's; else before the second product
  double dropout_;
};

}  // namespace m2::train
