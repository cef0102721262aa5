// Dropout whose mask is computed, not drawn: the same for any cut into micro-batches, number of
// threads or restart.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace m2::torch_ops {

// x·mask/(1 − probability). Element i of row r (x is (rows, width) after flattening all but the
// last axis) is kept if a hash of (key, first_row + r, i) says so. `key` names the step, the layer
// and the place; first_row is the row's number within the whole batch. Probability 0 returns x
// itself.
at::Tensor counter_dropout(const at::Tensor& x, double probability, int64_t key, int64_t first_row);

}  // namespace m2::torch_ops
