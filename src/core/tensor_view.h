// A tensor in somebody else's memory: dtype, shape, row-major and contiguous data.
#pragma once

#include <cstdint>
#include <vector>

#include "core/dtype.h"

namespace m2 {

struct TensorView {
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;  // outermost first; empty for a scalar
  const void* data = nullptr;  // not owned; may be unaligned (a mapped file)

  int64_t elements() const {
    int64_t count = 1;
    for (const int64_t extent : shape) count *= extent;
    return count;
  }
  size_t bytes() const { return static_cast<size_t>(elements()) * dtype_size(dtype); }
};

}  // namespace m2
