// Self-attention of MosaicBERT and BERT, with its residual and norm.
#pragma once

#include <string>
#include <vector>

#include "train/models/linear.h"

namespace m2::train {

// −slope_h·|i − j| as (1, heads, length, length). For n heads, n a power of two, slope_i =
// 2^(−8i/n), i = 1 … n; else with m the largest power of two below n those of m, then every other
// one of 2m from its first.
at::Tensor alibi_bias(int64_t heads, int64_t length, at::ScalarType type);

class Attention {
 public:
  Attention(const ParameterSet& parameters, const ModelConfig& config, const std::string& prefix);
  // LN(x + dense(softmax(q·kᵀ/√width + attention_bias)·v)). Scores and weights are in the
  // parameters' number type.
  at::Tensor apply(const at::Tensor& x, const LayerInput& input) const;

 private:
  at::Tensor attend(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                    const LayerInput& input) const;

  std::vector<Linear> projections_;  // q, k, v; or one of all three, in thirds
  Linear dense_;
  Norm norm_;
  int64_t heads_;
  double weights_dropout_, output_dropout_;
};

}  // namespace m2::train
