#include "torch_ops/short_conv.h"

#include <ATen/ATen.h>
#include <torch/library.h>

#include "torch_ops/operands.h"
#include "torch_ops/plain.h"

namespace m2::torch_ops {

at::Tensor short_conv(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  TORCH_CHECK(x.dim() == 3, "short_conv: x is (B, L, C), not ", x.sizes());
  TORCH_CHECK(weight.sizes() == at::IntArrayRef({x.size(2), 1, 3}),
              "short_conv: weight is (C, 1, 3) with C = ", x.size(2), ", not ", weight.sizes());
  TORCH_CHECK(bias.dim() == 1 && bias.size(0) == x.size(2), "short_conv: bias is (C)");
  const WithoutAutocast guard;
  return plain::short_conv(at_least_fp32(x), at_least_fp32(weight), at_least_fp32(bias));
}

TORCH_LIBRARY_FRAGMENT(m2, library) {
  library.def("short_conv(Tensor x, Tensor weight, Tensor bias) -> Tensor", short_conv);
}

}  // namespace m2::torch_ops
