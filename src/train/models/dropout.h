// Dropout at its places in a model.
#pragma once

#include <ATen/core/Tensor.h>

#include "train/models/layer_input.h"

namespace m2::train {

enum class DropoutPlace : uint8_t {
  kEmbeddings,
  kAttentionWeights,
  kAttentionOutput,
  kMlp,
  kClassifier
};

// x, whose first axis is the texts, with the mask of (seed, step, layer, place); x itself where
// dropout does not act.
at::Tensor dropout(const at::Tensor& x, double probability, DropoutPlace place,
                   const LayerInput& input);

}  // namespace m2::train
