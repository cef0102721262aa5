// What follows the encoder.
#pragma once

#include <ATen/core/Tensor.h>

#include "train/models/linear.h"
#include "train/models/linear_cross_entropy.h"

namespace m2::train {

// logits = E·LN(GELU(W·x + b)) + c, E the word embeddings.
class MlmHead {
 public:
  MlmHead(const ParameterSet& parameters, const ModelConfig& config);
  // x (N, H) are the hidden states at the labelled positions.
  at::Tensor logits(const at::Tensor& x, const Pass& pass) const;
  CrossEntropy loss(const at::Tensor& x, const at::Tensor& labels, const Pass& pass,
                    bool count_correct) const;

 private:
  at::Tensor transform(const at::Tensor& x, const Pass& pass) const;

  Linear dense_;
  Norm norm_;
  at::Tensor decoder_, bias_;
};

}  // namespace m2::train
