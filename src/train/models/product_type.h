// The numbers that a pass's large products are made of.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

namespace m2::train {

// Either the parameters' own type or, in a pass in bf16, bfloat16: operands, result and their
// gradients are rounded to it, sums are fp32. libtorch's own products in bfloat16 are some thirty
// times slower than in fp32 where the processor has no instructions for them; there the rounded
// numbers are kept and multiplied as fp32.
class ProductType {
 public:
  ProductType(at::ScalarType stored, bool rounded) : stored_(stored), rounded_(rounded) {}

  at::Tensor operand(const at::Tensor& tensor) const;
  std::optional<at::Tensor> operand(const std::optional<at::Tensor>& tensor) const;
  at::Tensor result(const at::Tensor& product) const;

 private:
  at::ScalarType stored_;
  bool rounded_;
};

// For a product with `weight` on the device that it is on.
ProductType product_type(bool bf16, const at::Tensor& weight);

}  // namespace m2::train
