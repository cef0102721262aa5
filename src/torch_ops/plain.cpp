#include "torch_ops/plain.h"

#include <ATen/ATen.h>

namespace m2::torch_ops::plain {
namespace {

// (L, H) taps and reverse taps as one circular kernel of 2L points: k[0] + D at 0, k_rev from the
// end down.
at::Tensor circular_kernel(const LongFilter& filter) {
  at::Tensor first =
      at::cat({(filter.taps[0] + filter.bias).unsqueeze(0), filter.taps.slice(0, 1)});
  at::Tensor second =
      filter.reverse_taps.defined() ? filter.reverse_taps.flip(0) : at::zeros_like(filter.taps);
  return at::cat({first, second});
}

at::Tensor convolve(const at::Tensor& x, const LongFilter& filter) {
  const c10::SymInt length = x.sym_size(1), points = 2 * length;
  const auto used = [&](const at::Tensor& taps) {
    return taps.defined() ? taps.narrow_symint(0, 0, length) : taps;
  };
  const at::Tensor kernel =
      circular_kernel({used(filter.taps), used(filter.reverse_taps), filter.bias});
  const at::Tensor y = at::fft_irfft_symint(
      at::fft_rfft_symint(x, points, 1) * at::fft_rfft_symint(kernel, points, 0), points, 1);
  return y.narrow_symint(1, 0, length);
}

}  // namespace

at::Tensor long_conv(const at::Tensor& x1, const at::Tensor& x2, const at::Tensor& v,
                     const LongFilter& gated, const std::optional<at::Tensor>& u,
                     const LongFilter& residual_filter, const std::optional<at::Tensor>& lengths) {
  at::Tensor text;  // (B, L, 1): 1 in the text, 0 behind it
  if (lengths.has_value()) {
    text = (at::arange(x1.sym_size(1), lengths->options()) < lengths->unsqueeze(1))
               .unsqueeze(2)
               .to(x1.scalar_type());
  }
  const auto in_text = [&](const at::Tensor& x) { return text.defined() ? x * text : x; };
  at::Tensor y = x2 * convolve(in_text(x1 * v), gated);
  if (u.has_value()) y = y + convolve(in_text(*u), residual_filter);
  return in_text(y);
}

at::Tensor short_conv(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  const at::Tensor padded = at::constant_pad_nd(x, {0, 0, 2, 0});
  at::Tensor y = bias.expand_as(x);
  for (int64_t tap = 0; tap < 3; ++tap) {
    y = y + padded.narrow_symint(1, tap, x.sym_size(1)) * weight.select(2, tap).squeeze(1);
  }
  return y;
}

at::Tensor block_diagonal_linear(const at::Tensor& rows, const at::Tensor& weight,
                                 int64_t outputs) {
  const c10::SymInt blocks = weight.sym_size(0);
  const at::Tensor by_block = rows.view_symint({-1, blocks, weight.sym_size(2)}).transpose(0, 1);
  const at::Tensor y = at::bmm(by_block, weight.transpose(1, 2)).transpose(0, 1);
  return y.reshape_symint({rows.sym_size(0), blocks * weight.sym_size(1)}).narrow(1, 0, outputs);
}

at::Tensor gelu_gate(const at::Tensor& h) {
  const auto halves = h.chunk(2, -1);
  return at::gelu(halves[0]) * halves[1];
}

}  // namespace m2::torch_ops::plain
