#include "torch_ops/gated_mlp.h"

#include <ATen/ATen.h>
#include <torch/library.h>

#include "torch_ops/block_diagonal_linear.h"
#include "torch_ops/operands.h"
#include "torch_ops/plain.h"

namespace m2::torch_ops {

at::Tensor gelu_gate(const at::Tensor& h) {
  TORCH_CHECK(h.dim() >= 1 && h.size(-1) % 2 == 0, "gelu_gate: h is (…, 2I), not ", h.sizes());
  return plain::gelu_gate(h);
}

at::Tensor gated_mlp(const at::Tensor& x, const at::Tensor& gated_weight,
                     const at::Tensor& wo_weight, const at::Tensor& bias, int64_t intermediate) {
  const at::Tensor h = block_diagonal_linear(x, gated_weight, std::nullopt, 2 * intermediate);
  return block_diagonal_linear(gelu_gate(h), wo_weight, bias, x.size(-1));
}

TORCH_LIBRARY_FRAGMENT(m2, library) {
  library.def("gelu_gate(Tensor h) -> Tensor", gelu_gate);
  library.def(
      "gated_mlp(Tensor x, Tensor gated_weight, Tensor wo_weight, Tensor bias, int intermediate) "
      "-> Tensor",
      gated_mlp);
}

}  // namespace m2::torch_ops
