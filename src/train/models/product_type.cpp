#include "train/models/product_type.h"

#include "core/machine.h"

namespace m2::train {
namespace {

bool processor_multiplies_bf16() {
  static const bool known = [] {
    const Machine machine = describe_machine();
    return machine.has("avx512_bf16") || machine.has("amx_bf16") || machine.has("bf16");  // Arm's
  }();
  return known;
}

// What bfloat16 keeps of it; of the gradient, too.
at::Tensor rounded_to_bf16(const at::Tensor& tensor) {
  return tensor.to(at::kBFloat16).to(at::kFloat);
}

}  // namespace

at::Tensor ProductType::operand(const at::Tensor& tensor) const {
  return rounded_ ? rounded_to_bf16(tensor) : tensor.to(stored_);
}

std::optional<at::Tensor> ProductType::operand(const std::optional<at::Tensor>& tensor) const {
  return tensor ? std::optional(operand(*tensor)) : std::nullopt;
}

at::Tensor ProductType::result(const at::Tensor& product) const {
  return rounded_ ? rounded_to_bf16(product) : product;
}

ProductType product_type(bool bf16, const at::Tensor& weight) {
  if (!bf16) return {weight.scalar_type(), false};
  if (weight.is_cpu() && !processor_multiplies_bf16()) return {at::kFloat, true};
  return {at::kBFloat16, false};
}

}  // namespace m2::train
