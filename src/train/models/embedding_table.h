// Token ids to the first hidden states.
#pragma once

#include <ATen/core/Tensor.h>

#include "train/models/linear.h"

namespace m2::train {

class EmbeddingTable {
 public:
  EmbeddingTable(const ParameterSet& parameters, const ModelConfig& config, bool freeze_pad_row);
  // dropout(LN(word[id] + token_type[type] + position[0 … L−1])), (B, L, H); positions only where
  // the model has them.
  at::Tensor apply(const Batch& batch, const LayerInput& input) const;

 private:
  at::Tensor word_, type_, position_;
  Norm norm_;
  double dropout_;
  int64_t frozen_row_;  // of word_, without gradient from here; -1: none
};

}  // namespace m2::train
