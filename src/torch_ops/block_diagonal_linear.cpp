#include "torch_ops/block_diagonal_linear.h"

#include <ATen/ATen.h>
#include <torch/library.h>

#include "torch_ops/operands.h"
#include "torch_ops/plain.h"

namespace m2::torch_ops {

at::Tensor block_diagonal_linear(const at::Tensor& x, const at::Tensor& weight,
                                 const std::optional<at::Tensor>& bias, int64_t outputs) {
  TORCH_CHECK(weight.dim() == 3, "block_diagonal_linear: weight is (K, p, q), not ",
              weight.sizes());
  TORCH_CHECK(x.dim() >= 1 && x.size(-1) <= weight.size(0) * weight.size(2),
              "block_diagonal_linear: x is wider than the weight's inputs");
  TORCH_CHECK(outputs >= 1 && outputs <= weight.size(0) * weight.size(1),
              "block_diagonal_linear: the weight has fewer outputs than ", outputs);
  TORCH_CHECK(!bias.has_value() || (bias->dim() == 1 && bias->size(0) == outputs),
              "block_diagonal_linear: bias is (outputs)");
  return plain::block_diagonal_linear(x, weight, bias, outputs);
}

TORCH_LIBRARY_FRAGMENT(m2, library) {
  library.def("block_diagonal_linear(Tensor x, Tensor weight, Tensor? bias, int outputs) -> Tensor",
              block_diagonal_linear);
}

}  // namespace m2::torch_ops
