// How an operator calls its kernels: through PyTorch's registry, under names of their own. What
// traces programs (torch.compile, torch.export) sees them there, and asks their Meta forms, which
// only allocate, for shapes. A kernel's operands are what the operator has checked.
#pragma once

#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/empty_like.h>

#include <type_traits>

namespace m2::torch_ops {

// Calls what is registered as `name`, with the signature of kKernel, one of its kernels, without a
// graph. (Of a Meta kernel, if numbers may be symbols.)
template <auto* kKernel, class... Operands>
auto call_kernel(const char* name, const Operands&... operands) {
  static const auto kernel = c10::Dispatcher::singleton()
                                 .findSchemaOrThrow(name, "")
                                 .typed<std::remove_pointer_t<decltype(kKernel)>>();
  const at::AutoDispatchBelowADInplaceOrView no_graph;
  return kernel.call(operands...);
}

// What a Meta form returns where the kernel's result has the shape of an operand.
inline at::Tensor shape_of(const at::Tensor& operand) {
  return at::empty_like(operand, at::MemoryFormat::Contiguous);
}

}  // namespace m2::torch_ops
