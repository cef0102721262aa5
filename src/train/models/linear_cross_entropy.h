// The loss of a wide output layer without keeping its logits.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "train/models/product_type.h"

namespace m2::train {

struct CrossEntropy {
  at::Tensor sum;       // Σ −log softmax(x·Wᵀ + b)[label] over the rows; a scalar
  int64_t correct = 0;  // rows whose label has the largest logit; if asked for
};

// x is (N, H), weight (V, H), bias (V), labels int64 (N) below V. The logits of a thousand rows at
// a time are made into their gradients in place, so that forward and backward are the three
// products of the layer and memory holds thousand·V numbers instead of 3·N·V. The products are of
// the type given, softmax and loss of x's, to which the gradients are returned.
CrossEntropy linear_cross_entropy(const at::Tensor& x, const at::Tensor& weight,
                                  const at::Tensor& bias, const at::Tensor& labels,
                                  const ProductType& type, bool count_correct);

}  // namespace m2::train
