#include "ops/gemm/plain_product.h"

#include <algorithm>

#include "core/dtype.h"
#include "core/error.h"

namespace m2 {

PlainProduct::PlainProduct(const PackedMatrix::Shape& shape, const void* weight,
                           size_t weight_stride, const float* bias)
    : shape_(shape), bias_(shape.with_bias ? bias : nullptr) {
  M2_CHECK(shape.type == DType::kBF16 || shape.type == DType::kI8);
  for (size_t row = 0; row < shape.n; ++row) {
    if (shape.type == DType::kI8) {
      const int8_t* source = static_cast<const int8_t*>(weight) + row * weight_stride;
      integers_.insert(integers_.end(), source, source + shape.k);
      continue;
    }
    const float* source = static_cast<const float*>(weight) + row * weight_stride;
    for (size_t i = 0; i < shape.k; ++i) {
      rounded_.push_back(bf16_to_float(float_to_bf16(source[i])));
    }
  }
}

void PlainProduct::multiply(size_t rows, const void* in, void* out) const {
  std::vector<float> wide(shape_.k);
  for (size_t row = 0; row < rows; ++row) {
    if (shape_.type == DType::kI8) {
      const uint8_t* x = static_cast<const uint8_t*>(in) + row * shape_.in_stride;
      int32_t* y = static_cast<int32_t*>(out) + row * shape_.out_stride;
      for (size_t o = 0; o < shape_.n; ++o) {
        const int8_t* w = integers_.data() + o * shape_.k;
        int32_t sum = 0;
        for (size_t i = 0; i < shape_.k; ++i) sum += int32_t{x[i]} * int32_t{w[i]};
        y[o] = sum;
      }
      continue;
    }
    const uint16_t* x = static_cast<const uint16_t*>(in) + row * shape_.in_stride;
    std::transform(x, x + shape_.k, wide.begin(), bf16_to_float);
    float* y = static_cast<float*>(out) + row * shape_.out_stride;
    for (size_t o = 0; o < shape_.n; ++o) {
      const float* w = rounded_.data() + o * shape_.k;
      float sum = bias_ == nullptr ? 0.0f : bias_[o];
      for (size_t i = 0; i < shape_.k; ++i) sum += wide[i] * w[i];
      y[o] = sum;
    }
  }
}

}  // namespace m2
