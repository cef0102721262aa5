// A tile's product by plain loops, for number types that the machine cannot multiply. Integers are
// summed exactly, so that int8 gives the bits that any other way gives.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "ops/gemm/matmul.h"

namespace m2 {

class PlainProduct {
 public:
  // As PackedMatrix; `bias` must outlive this.
  PlainProduct(const PackedMatrix::Shape& shape, const void* weight, size_t weight_stride,
               const float* bias);
  void multiply(size_t rows, const void* in, void* out) const;

 private:
  PackedMatrix::Shape shape_;
  const float* bias_;
  std::vector<float> rounded_;    // [n][k] of kBF16
  std::vector<int8_t> integers_;  // [n][k] of kI8
};

}  // namespace m2
