#include "torch_ops/long_conv.h"

#include <ATen/ATen.h>
#include <torch/library.h>

#include "torch_ops/operands.h"
#include "torch_ops/plain.h"

namespace m2::torch_ops {
namespace {

void check_filter(const LongFilter& filter, int64_t length, int64_t width, const char* name) {
  TORCH_CHECK(
      filter.taps.dim() == 2 && filter.taps.size(0) >= length && filter.taps.size(1) == width,
      "long_conv: ", name, " taps are (L, H) with L >= ", length, " and H = ", width, ", not ",
      filter.taps.sizes());
  TORCH_CHECK(!filter.reverse_taps.defined() || filter.reverse_taps.sizes() == filter.taps.sizes(),
              "long_conv: ", name, " reverse taps differ in shape from the taps");
  TORCH_CHECK(filter.bias.dim() == 1 && filter.bias.size(0) == width, "long_conv: ", name,
              " bias is (H)");
}

void check(const at::Tensor& x1, const at::Tensor& x2, const at::Tensor& v, const LongFilter& gated,
           const std::optional<at::Tensor>& u, const LongFilter& residual_filter,
           const std::optional<at::Tensor>& lengths) {
  TORCH_CHECK(x1.dim() == 3 && x1.size(1) > 0, "long_conv: x1 is (B, L, H), not ", x1.sizes());
  TORCH_CHECK(x2.sizes() == x1.sizes() && v.sizes() == x1.sizes() &&
                  (!u.has_value() || u->sizes() == x1.sizes()),
              "long_conv: x1, x2, v and u differ in shape");
  check_filter(gated, x1.size(1), x1.size(2), "gated");
  if (u.has_value()) check_filter(residual_filter, x1.size(1), x1.size(2), "residual");
  TORCH_CHECK(!lengths.has_value() || (lengths->dim() == 1 && lengths->size(0) == x1.size(0) &&
                                       lengths->scalar_type() == at::kLong),
              "long_conv: lengths is int64 (B)");
}

LongFilter at_least_fp32(const LongFilter& filter) {
  return {torch_ops::at_least_fp32(filter.taps), torch_ops::at_least_fp32(filter.reverse_taps),
          torch_ops::at_least_fp32(filter.bias)};
}

at::Tensor or_undefined(const std::optional<at::Tensor>& tensor) {
  return tensor.value_or(at::Tensor());
}

// The operator as PyTorch's registry knows it, without structs.
at::Tensor registered(const at::Tensor& x1, const at::Tensor& x2, const at::Tensor& v,
                      const at::Tensor& taps, const std::optional<at::Tensor>& reverse_taps,
                      const at::Tensor& bias, const std::optional<at::Tensor>& u,
                      const std::optional<at::Tensor>& residual_taps,
                      const std::optional<at::Tensor>& residual_reverse_taps,
                      const std::optional<at::Tensor>& residual_bias,
                      const std::optional<at::Tensor>& lengths) {
  return long_conv(x1, x2, v, {taps, or_undefined(reverse_taps), bias}, u,
                   {or_undefined(residual_taps), or_undefined(residual_reverse_taps),
                    or_undefined(residual_bias)},
                   lengths);
}

}  // namespace

at::Tensor long_conv(const at::Tensor& x1, const at::Tensor& x2, const at::Tensor& v,
                     const LongFilter& gated, const std::optional<at::Tensor>& u,
                     const LongFilter& residual_filter, const std::optional<at::Tensor>& lengths) {
  check(x1, x2, v, gated, u, residual_filter, lengths);
  const WithoutAutocast guard;
  const std::optional<at::Tensor> wide_u =
      u.has_value() ? std::optional(torch_ops::at_least_fp32(*u)) : std::nullopt;
  return plain::long_conv(torch_ops::at_least_fp32(x1), torch_ops::at_least_fp32(x2),
                          torch_ops::at_least_fp32(v), at_least_fp32(gated), wide_u,
                          at_least_fp32(residual_filter), lengths);
}

TORCH_LIBRARY_FRAGMENT(m2, library) {
  library.def(
      "long_conv(Tensor x1, Tensor x2, Tensor v, Tensor taps, Tensor? reverse_taps, Tensor bias, "
      "Tensor? u=None, Tensor? residual_taps=None, Tensor? residual_reverse_taps=None, "
      "Tensor? residual_bias=None, Tensor? lengths=None) -> Tensor",
      registered);
}

}  // namespace m2::torch_ops
