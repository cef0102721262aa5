// The MLP, dense or block-diagonal (Monarch), gated or not.
//
//   gated:   h = W1·x, H -> 2I;                     g = GELU(h[:I])·h[I:]
//   plain:   h = W1·x, H -> I (+ b1 in plain BERT);  g = GELU(h)
//   out = LN(W2·g + b + x)
#pragma once

#include <string>

#include "layers/weights.h"
#include "layers/workspace.h"
#include "ops/linear.h"
#include "ops/norm.h"

namespace m2 {

class DimensionMixer {
 public:
  // `prefix` is "bert.encoder.layer.0" or the like.
  DimensionMixer(const Weights& weights, const std::string& prefix);

  // Floats between rows of x and out: H filled up to whole blocks of the MLP and of channels.
  static size_t row_stride(const ModelConfig& config);

  // One tile of `rows` rows; channels beyond H are zero in x and become so in out. out may be x.
  void apply(size_t rows, const float* x, WorkerScratch& scratch, float* out) const;

 private:
  bool gated_;
  size_t width_;
  Linear gated_layers_, wo_;
  Norm norm_;
};

}  // namespace m2
