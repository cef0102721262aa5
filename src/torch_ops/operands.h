// What every operator asks of its inputs.
#pragma once

#include <ATen/autocast_mode.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/impl/LocalDispatchKeySet.h>

namespace m2::torch_ops {

// Whether the project's kernels take them: fp32 on a CPU, all that are defined. Never within
// torch.func's transforms, which differentiate and batch expressions, not kernels.
bool kernels_take(at::ArrayRef<at::Tensor> tensors);

// Whether its numbers can be read now: not those of a tensor that only stands for its shape while
// PyTorch traces, or that torch.func wraps.
bool has_numbers(const at::Tensor& tensor);

// To be called first in a kernel's backward pass: what a kernel fills has no graph, and a second
// derivative would take it for a constant.
inline void refuse_second_derivative(const char* name) {
  TORCH_CHECK(!at::GradMode::is_enabled(), "m2::", name,
              ": has no second derivative in fp32; use float64");
}

// A tensor as the operators that stay in fp32 under autocast take it; float64 stays.
inline at::Tensor at_least_fp32(const at::Tensor& tensor) {
  if (!tensor.defined()) return tensor;
  const at::ScalarType type = tensor.scalar_type();
  return type == at::kBFloat16 || type == at::kHalf ? tensor.to(at::kFloat) : tensor;
}

// Whether large products are to be made in another number type than their inputs'.
inline bool under_autocast() {
  return at::autocast::is_autocast_enabled(at::kCPU);
}

// Switches autocast off for an operator's own expressions.
class WithoutAutocast {
 public:
  WithoutAutocast() : guard_(c10::autocast_dispatch_keyset) {}

 private:
  c10::impl::ExcludeDispatchKeyGuard guard_;
};

}  // namespace m2::torch_ops
