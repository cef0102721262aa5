#include "torch_ops/long_conv.h"

#include <ATen/ops/empty.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <tuple>

#include "torch_ops/kernel_call.h"
#include "torch_ops/long_conv_kernels.h"
#include "torch_ops/operands.h"
#include "torch_ops/plain.h"

namespace m2::torch_ops {
namespace {

void check_filter(const LongFilter& filter, const c10::SymInt& length, const c10::SymInt& width,
                  const char* name) {
  TORCH_CHECK(filter.taps.dim() == 2 && filter.taps.sym_size(0) >= length &&
                  filter.taps.sym_size(1) == width,
              "long_conv: ", name, " taps are (L, H) with L >= ", length, " and H = ", width,
              ", not ", filter.taps.sym_sizes());
  TORCH_CHECK(
      !filter.reverse_taps.defined() || filter.reverse_taps.sym_sizes() == filter.taps.sym_sizes(),
      "long_conv: ", name, " reverse taps differ in shape from the taps");
  TORCH_CHECK(filter.bias.dim() == 1 && filter.bias.sym_size(0) == width, "long_conv: ", name,
              " bias is (H)");
}

void check_inputs(const at::Tensor& x1, const at::Tensor& x2, const at::Tensor& v,
                  const LongFilter& gated, const std::optional<at::Tensor>& u,
                  const LongFilter& residual_filter, const std::optional<at::Tensor>& lengths) {
  TORCH_CHECK(x1.dim() == 3 && x1.sym_size(1) > 0, "long_conv: x1 is (B, L, H), not ",
              x1.sym_sizes());
  TORCH_CHECK(x2.sym_sizes() == x1.sym_sizes() && v.sym_sizes() == x1.sym_sizes() &&
                  (!u.has_value() || u->sym_sizes() == x1.sym_sizes()),
              "long_conv: x1, x2, v and u differ in shape");
  check_filter(gated, x1.sym_size(1), x1.sym_size(2), "gated");
  if (u.has_value()) check_filter(residual_filter, x1.sym_size(1), x1.sym_size(2), "residual");
  if (!lengths.has_value()) return;
  TORCH_CHECK(lengths->dim() == 1 && lengths->sym_size(0) == x1.sym_size(0) &&
                  lengths->scalar_type() == at::kLong && lengths->device() == x1.device(),
              "long_conv: lengths is int64 (B), where x1 is");
}

// Needs the numbers themselves, which are not there while a program is traced: the kernels look
// when it runs. The plain expressions only compare lengths with rows, and stay within them.
void check_lengths(const at::Tensor& lengths, int64_t rows) {
  TORCH_CHECK(lengths.numel() == 0 ||
                  (lengths.min().item<int64_t>() >= 0 && lengths.max().item<int64_t>() <= rows),
              "long_conv: lengths are from 0 to the ", rows, " rows of x1");
}

// The kernels read whole rows of channels.
at::Tensor with_contiguous_channels(const at::Tensor& tensor) {
  return !tensor.defined() || tensor.sym_stride(-1) == 1 ? tensor : tensor.contiguous();
}

LongFilter wide_filter(const LongFilter& filter) {
  const auto wide = [](const at::Tensor& tensor) {
    return with_contiguous_channels(torch_ops::at_least_fp32(tensor));
  };
  return {wide(filter.taps), wide(filter.reverse_taps), wide(filter.bias)};
}

at::Tensor or_undefined(const std::optional<at::Tensor>& tensor) {
  return tensor.value_or(at::Tensor());
}

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;
using Operands = c10::List<std::optional<at::Tensor>>;  // LongConvInputs for the registry

// The inputs in one list, in the order of LongConvFunction::forward's arguments.
variable_list listed(const LongConvInputs& in) {
  return {in.x1,
          in.x2,
          in.v,
          in.u,
          in.gated.taps,
          in.gated.reverse_taps,
          in.gated.bias,
          in.residual_filter.taps,
          in.residual_filter.reverse_taps,
          in.residual_filter.bias,
          in.lengths};
}
LongConvInputs unlisted(const variable_list& list) {
  return {
      list[0], list[1], list[2], list[3], {list[4], list[5], list[6]}, {list[7], list[8], list[9]},
      list[10]};
}
constexpr size_t kListed = 11;

Operands operands_of(const variable_list& list) {
  Operands operands;
  for (size_t i = 0; i < kListed; ++i) {
    operands.push_back(list[i].defined() ? std::optional(list[i]) : std::nullopt);
  }
  return operands;
}
LongConvInputs inputs_of(const Operands& operands) {
  variable_list list;
  for (size_t i = 0; i < kListed; ++i) list.push_back(or_undefined(operands.get(i)));
  return unlisted(list);
}

using Result = std::tuple<at::Tensor, at::Tensor, at::Tensor>;  // y and LongConvKept

Result forward_kernel(const Operands& operands, bool keep) {
  const LongConvInputs inputs = inputs_of(operands);
  if (inputs.lengths.defined()) check_lengths(inputs.lengths, inputs.x1.size(1));
  if (!keep) {
    const auto none = [&] { return at::empty({0}, inputs.x1.options()); };
    return {long_conv_forward(inputs, nullptr), none(), none()};
  }
  LongConvKept kept;
  const at::Tensor y = long_conv_forward(inputs, &kept);
  return {y, kept.gated, kept.spectra};
}

// The gradients of all operands that there are, but lengths.
variable_list backward_kernel(const Operands& operands, const at::Tensor& gated,
                              const at::Tensor& spectra, const at::Tensor& dy) {
  const LongConvGradients gradients = long_conv_backward(inputs_of(operands), {gated, spectra}, dy);
  variable_list list = listed({gradients.x1,
                               gradients.x2,
                               gradients.v,
                               gradients.u,
                               gradients.gated,
                               gradients.residual_filter,
                               {}});
  std::erase_if(list, [](const Variable& gradient) { return !gradient.defined(); });
  return list;
}

Result forward_shapes(const Operands& operands, bool keep) {
  const LongConvInputs inputs = inputs_of(operands);
  const auto floats = [&](const c10::SymInt& count) {
    return at::empty_symint({count}, inputs.x1.options());
  };
  if (!keep) return {shape_of(inputs.x1), floats(0), floats(0)};
  const auto fixed = [](const c10::SymInt& size) { return size.guard_int(__FILE__, __LINE__); };
  return {shape_of(inputs.x1), shape_of(inputs.x1),
          floats(spectra_floats(fixed(inputs.x1.sym_size(1)), fixed(inputs.x1.sym_size(2))))};
}

variable_list backward_shapes(const Operands& operands, const at::Tensor& /*gated*/,
                              const at::Tensor& /*spectra*/, const at::Tensor& /*dy*/) {
  variable_list list = listed(inputs_of(operands));
  list.pop_back();
  std::erase_if(list, [](const Variable& operand) { return !operand.defined(); });
  for (Variable& gradient : list) gradient = shape_of(gradient);
  return list;
}

class LongConvFunction : public torch::autograd::Function<LongConvFunction> {
 public:
  using Optional = std::optional<Variable>;  // how apply() takes what may be undefined

  static Variable forward(AutogradContext* context, const Variable& x1, const Variable& x2,
                          const Variable& v, const Optional& u, const Variable& taps,
                          const Optional& reverse_taps, const Variable& bias,
                          const Optional& residual_taps, const Optional& residual_reverse_taps,
                          const Optional& residual_bias, const Optional& lengths) {
    variable_list saved = {x1,
                           x2,
                           v,
                           or_undefined(u),
                           taps,
                           or_undefined(reverse_taps),
                           bias,
                           or_undefined(residual_taps),
                           or_undefined(residual_reverse_taps),
                           or_undefined(residual_bias),
                           or_undefined(lengths)};
    const auto [y, gated, spectra] =
        call_kernel<forward_kernel>("m2::_long_conv", operands_of(saved), true);
    saved.push_back(gated);
    saved.push_back(spectra);
    context->save_for_backward(saved);
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& dy) {
    refuse_second_derivative("long_conv");
    const variable_list saved = context->get_saved_variables();
    const variable_list found =
        call_kernel<backward_kernel>("m2::_long_conv_backward", operands_of(saved), saved[kListed],
                                     saved[kListed + 1], with_contiguous_channels(dy[0]));
    variable_list gradients(kListed);
    for (size_t i = 0, next = 0; next < found.size(); ++i) {
      if (saved[i].defined()) gradients[i] = found[next++];
    }
    return gradients;
  }
};

at::Tensor on_kernels(const LongConvInputs& inputs) {
  const variable_list list = listed(inputs);
  const bool wanted = at::GradMode::is_enabled() &&
                      std::any_of(list.begin(), list.end(), [](const Variable& tensor) {
                        return tensor.defined() && tensor.requires_grad();
                      });
  if (!wanted) {
    return std::get<0>(call_kernel<forward_kernel>("m2::_long_conv", operands_of(list), false));
  }
  const auto optional = [&](size_t i) {
    return list[i].defined() ? std::optional(list[i]) : std::nullopt;
  };
  return LongConvFunction::apply(list[0], list[1], list[2], optional(3), list[4], optional(5),
                                 list[6], optional(7), optional(8), optional(9), optional(10));
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
  check_inputs(x1, x2, v, gated, u, residual_filter, lengths);
  const WithoutAutocast guard;
  const auto wide = [](const at::Tensor& tensor) {
    return with_contiguous_channels(torch_ops::at_least_fp32(tensor));
  };
  const LongConvInputs in = {wide(x1),
                             wide(x2),
                             wide(v),
                             wide(or_undefined(u)),
                             wide_filter(gated),
                             u.has_value() ? wide_filter(residual_filter) : LongFilter(),
                             lengths.has_value() ? lengths->contiguous() : at::Tensor()};
  variable_list numbers = listed(in);
  numbers.pop_back();
  if (kernels_take(numbers)) return on_kernels(in);
  if (lengths.has_value() && has_numbers(*lengths)) check_lengths(*lengths, x1.size(1));
  return plain::long_conv(in.x1, in.x2, in.v, in.gated,
                          u.has_value() ? std::optional(in.u) : std::nullopt, in.residual_filter,
                          lengths);
}

TORCH_LIBRARY_FRAGMENT(m2, library) {
  library.def(
      "long_conv(Tensor x1, Tensor x2, Tensor v, Tensor taps, Tensor? reverse_taps, Tensor bias, "
      "Tensor? u=None, Tensor? residual_taps=None, Tensor? residual_reverse_taps=None, "
      "Tensor? residual_bias=None, Tensor? lengths=None) -> Tensor",
      registered);
  library.def("_long_conv(Tensor?[] operands, bool keep) -> (Tensor, Tensor, Tensor)");
  library.def(
      "_long_conv_backward(Tensor?[] operands, Tensor gated, Tensor spectra, Tensor dy) "
      "-> Tensor[]");
}

TORCH_LIBRARY_IMPL(m2, CPU, library) {
  library.impl("_long_conv", forward_kernel);
  library.impl("_long_conv_backward", backward_kernel);
}

TORCH_LIBRARY_IMPL(m2, Meta, library) {
  library.impl("_long_conv", forward_shapes);
  library.impl("_long_conv_backward", backward_shapes);
}

}  // namespace m2::torch_ops
