// Dropout at its places in a model.
#pragma once

#include <ATen/core/Tensor.h>

#include "torch_ops/counter_dropout.h"
#include "train/models/layer_input.h"

namespace m2::train {

enum class DropoutPlace : uint8_t {
  kEmbeddings,
  kAttentionWeights,
  kAttentionOutput,
  kMlp,
  kClassifier
};

// The mask of (seed, step, layer, place) for x, whose first axis is the texts and whose rows are
// all axes but the last; of probability 0 where dropout does not act.
torch_ops::DropoutCounter dropout_counter(const at::Tensor& x, double probability,
                                          DropoutPlace place, const LayerInput& input);

// x, whose first axis is the texts, with the mask of (seed, step, layer, place); x itself where
// dropout does not act.
at::Tensor dropout(const at::Tensor& x, double probability, DropoutPlace place,
                   const LayerInput& input);

}  // namespace m2::train
