// The operators as libtorch expressions: what runs where there is no kernel of the project's, and
// what the kernels are held to. Autograd comes from libtorch.
#pragma once

#include "torch_ops/long_conv.h"

namespace m2::torch_ops::plain {

at::Tensor long_conv(const at::Tensor& x1, const at::Tensor& x2, const at::Tensor& v,
                     const LongFilter& gated, const std::optional<at::Tensor>& u,
                     const LongFilter& residual_filter, const std::optional<at::Tensor>& lengths);
at::Tensor short_conv(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);
// rows is (rows, K·q), the result (rows, outputs).
at::Tensor block_diagonal_linear(const at::Tensor& rows, const at::Tensor& weight, int64_t outputs);
at::Tensor gelu_gate(const at::Tensor& h);

}  // namespace m2::torch_ops::plain
