// LayerNorm with its weights, on row tiles.
#pragma once

#include <cstddef>
#include <span>

#include "core/aligned_buffer.h"

namespace m2 {

class Norm {
 public:
  Norm() = default;
  // weight and bias are [channels], copied.
  Norm(std::span<const float> weight, std::span<const float> bias, double eps);

  // out = LN(x + residual) on `rows` rows of `stride` floats, a multiple of kChannelBlock; residual
  // may be null, out may be x.
  void apply(size_t rows, size_t stride, const float* x, const float* residual, float* out) const;

 private:
  size_t channels_ = 0;
  AlignedBuffer<float> weight_, bias_;
  float eps_ = 0;
};

}  // namespace m2
