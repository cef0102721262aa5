#include "torch_ops/operands.h"

#include <ATen/functorch/DynamicLayer.h>

namespace m2::torch_ops {
namespace {

bool within_transform() {
  return at::functorch::maybeCurrentDynamicLayer().has_value();
}

}  // namespace

bool kernels_take(at::ArrayRef<at::Tensor> tensors) {
  for (const at::Tensor& tensor : tensors) {
    if (!tensor.defined()) continue;
    if (!tensor.is_cpu() || tensor.scalar_type() != at::kFloat) return false;
  }
  return !within_transform();
}

bool has_numbers(const at::Tensor& tensor) {
  return !tensor.is_meta() && !tensor.key_set().has(c10::DispatchKey::Python) &&
         !within_transform();
}

}  // namespace m2::torch_ops
