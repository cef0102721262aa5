// The long convolutions of a layer on the project's kernels: fp32 on a CPU, without autograd.
#pragma once

#include "torch_ops/long_conv.h"

namespace m2::torch_ops {

// What long_conv takes, all fp32 on a CPU; residual tensors are undefined without u.
struct LongConvInputs {
  at::Tensor x1, x2, v, u;
  LongFilter gated, residual_filter;
  at::Tensor lengths;  // int64 (B), or undefined
};

// What the backward pass wants of the forward one.
struct LongConvKept {
  at::Tensor gated;    // (B, L, H): long(x1 ⊙ v; gated), before the gate x2
  at::Tensor spectra;  // (spectra_floats())
};

// The floats of a pair of spectra for each block of `width` channels, for texts of `rows` rows.
int64_t spectra_floats(int64_t rows, int64_t width);

struct LongConvGradients {
  at::Tensor x1, x2, v, u;
  LongFilter gated, residual_filter;  // members undefined where the input's are
};

// y, and with keep != nullptr what long_conv_backward takes. Work is cut by groups of channels, so
// that no bit depends on the number of threads.
at::Tensor long_conv_forward(const LongConvInputs& inputs, LongConvKept* keep);
LongConvGradients long_conv_backward(const LongConvInputs& inputs, const LongConvKept& kept,
                                     const at::Tensor& dy);

}  // namespace m2::torch_ops
