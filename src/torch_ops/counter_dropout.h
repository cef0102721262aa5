// Dropout whose mask is computed, not drawn: the same for any cut into micro-batches, number of
// threads or restart.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/SymInt.h>

#include <cstdint>

namespace m2::torch_ops {

// Which mask: element i of row r is kept if a hash of (key, first_row + r, i) says so. While
// PyTorch traces the numbers are symbols, so that a compiled program serves every step.
struct DropoutCounter {
  double probability = 0;     // in [0, 1), of dropping
  c10::SymInt key = 0;        // names the step, the layer and the place
  c10::SymInt first_row = 0;  // row 0's number within the whole batch
};

// x·mask/(1 − probability), x being (rows, width) after flattening all but the last axis; x itself
// where the probability is 0.
at::Tensor counter_dropout(const at::Tensor& x, const DropoutCounter& counter);

// Rows [begin, begin + rows) of the mask, of `width` numbers, 0 or 1/(1 − probability).
void dropout_mask(const DropoutCounter& counter, int64_t begin, int64_t rows, int64_t width,
                  float* out);

}  // namespace m2::torch_ops
