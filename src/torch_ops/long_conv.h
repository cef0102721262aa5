// torch_ops: the project's kernels as libtorch operators with autograd, m2::… in PyTorch's
// registry. Uses the common ground. On a CPU in fp32 an operator runs on the project's kernels,
// with first derivatives only; elsewhere, in other number types and within torch.func's transforms,
// on libtorch's own FFT and GEMMs, with derivatives of any order.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

namespace m2::torch_ops {

// One long filter. With k the taps, k_rev the reverse ones and D the bias,
//   long(x; f)[t] = Σ_{s<=t} k[t−s]·x[s] + Σ_{s>t} k_rev[s−t−1]·x[s] + D·x[t].
struct LongFilter {
  at::Tensor taps;          // (L, H)
  at::Tensor reverse_taps;  // (L, H), or undefined: causal
  at::Tensor bias;          // (H)
};

// The sequence mixing of a layer:
//   y = x2 ⊙ long(x1 ⊙ v; gated) + long(u; residual_filter)
// x1, x2, v and u are (B, L, H); x1, x2 and v may be thirds of one (B, L, 3H). Without u the second
// convolution is left out. lengths, int64 (B), says how many rows of each text there are: what lies
// behind them is read as zero, and y is zero there; nullopt: all L. Gradients for all but lengths.
at::Tensor long_conv(const at::Tensor& x1, const at::Tensor& x2, const at::Tensor& v,
                     const LongFilter& gated, const std::optional<at::Tensor>& u,
                     const LongFilter& residual_filter, const std::optional<at::Tensor>& lengths);

}  // namespace m2::torch_ops
