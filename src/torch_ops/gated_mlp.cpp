#include "torch_ops/gated_mlp.h"

#include <ATen/ops/empty.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "kernels/gelu_gate.h"
#include "torch_ops/block_diagonal_linear.h"
#include "torch_ops/kernel_call.h"
#include "torch_ops/operands.h"
#include "torch_ops/parallel.h"
#include "torch_ops/plain.h"

namespace m2::torch_ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

constexpr int64_t kRowsOfATask = 4;  // of the widest models, in a core's cache with their mask

// Calls body(first row, rows) for every few rows, on libtorch's threads.
template <class Body>
void for_each_tile(const at::Tensor& h, const Body& body) {
  at::parallel_for(0, h.numel() / h.size(-1), kRowsOfATask, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row += kRowsOfATask) {
      body(row, std::min(kRowsOfATask, end - row));
    }
  });
}

// A tile of numbers times their mask. `from` and `to` may be one buffer.
void drop(const DropoutCounter& dropout, int64_t row, int64_t rows, int64_t width,
          const float* from, float* to) {
  thread_local std::vector<float> mask;
  mask.resize(static_cast<size_t>(rows * width));
  dropout_mask(dropout, row, rows, width, mask.data());
  for (size_t i = 0; i < mask.size(); ++i) to[i] = from[i] * mask[i];
}

at::Tensor forward_kernel(const at::Tensor& h, double probability, int64_t key, int64_t first_row) {
  const DropoutCounter dropout = {probability, key, first_row};
  const int64_t width = h.size(-1) / 2;
  std::vector<int64_t> shape = h.sizes().vec();
  shape.back() = width;
  at::Tensor out = at::empty(shape, h.options());
  for_each_tile(h, [&](int64_t row, int64_t rows) {
    const float* first = h.const_data_ptr<float>() + row * 2 * width;
    float* to = out.data_ptr<float>() + row * width;
    m2::gelu_gate({static_cast<size_t>(rows), static_cast<size_t>(width),
                   static_cast<size_t>(2 * width), static_cast<size_t>(width), first, first + width,
                   to});
    if (dropout.probability > 0) drop(dropout, row, rows, width, to, to);
  });
  return out;
}

at::Tensor backward_kernel(const at::Tensor& h, const at::Tensor& dout, double probability,
                           int64_t key, int64_t first_row) {
  const DropoutCounter dropout = {probability, key, first_row};
  const int64_t width = h.size(-1) / 2;
  at::Tensor dh = at::empty(h.sizes(), h.options());
  for_each_tile(h, [&](int64_t row, int64_t rows) {
    const float* first = h.const_data_ptr<float>() + row * 2 * width;
    const float* upper = dout.const_data_ptr<float>() + row * width;
    float* to = dh.data_ptr<float>() + row * 2 * width;
    thread_local std::vector<float> dropped;
    if (dropout.probability > 0) {
      dropped.resize(static_cast<size_t>(rows * width));
      drop(dropout, row, rows, width, upper, dropped.data());
      upper = dropped.data();
    }
    gelu_gate_gradient({static_cast<size_t>(rows), static_cast<size_t>(width),
                        static_cast<size_t>(2 * width), static_cast<size_t>(width), first,
                        first + width, upper, to, to + width});
  });
  return dh;
}

// NOLINTBEGIN(performance-unnecessary-value-param): the registry passes symbols by value
at::Tensor forward_shape(const at::Tensor& h, double /*probability*/, c10::SymInt /*key*/,
                         c10::SymInt /*first_row*/) {
  c10::SymDimVector shape(h.sym_sizes());
  shape.back() = shape.back() / 2;
  return at::empty_symint(shape, h.options());
}

at::Tensor backward_shape(const at::Tensor& h, const at::Tensor& /*dout*/, double /*probability*/,
                          c10::SymInt /*key*/, c10::SymInt /*first_row*/) {
  return at::empty_symint(h.sym_sizes(), h.options());
}
// NOLINTEND(performance-unnecessary-value-param)

class GeluGateFunction : public torch::autograd::Function<GeluGateFunction> {
 public:
  static Variable forward(AutogradContext* context, const Variable& h,
                          const DropoutCounter& dropout) {
    context->save_for_backward({h});
    context->saved_data["probability"] = dropout.probability;
    context->saved_data["key"] = dropout.key;
    context->saved_data["first_row"] = dropout.first_row;
    return call_kernel<forward_shape>("m2::_gelu_gate", h, dropout.probability, dropout.key,
                                      dropout.first_row);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    refuse_second_derivative("gelu_gate");
    return {call_kernel<backward_shape>(
                "m2::_gelu_gate_backward", context->get_saved_variables()[0],
                gradients[0].contiguous(), context->saved_data["probability"].toDouble(),
                context->saved_data["key"].toSymInt(), context->saved_data["first_row"].toSymInt()),
            {}};
  }
};

}  // namespace

at::Tensor gelu_gate(const at::Tensor& h, const DropoutCounter& dropout) {
  TORCH_CHECK(h.dim() >= 1 && h.sym_size(-1) > 0 && h.sym_size(-1) % 2 == 0,
              "gelu_gate: h is (…, 2I), not ", h.sym_sizes());
  if (!kernels_take(h)) return counter_dropout(plain::gelu_gate(h), dropout);
  TORCH_CHECK(dropout.probability >= 0 && dropout.probability < 1,
              "gelu_gate: the probability is in [0, 1)");
  return GeluGateFunction::apply(h.contiguous(), dropout);
}

at::Tensor gated_mlp(const at::Tensor& x, const at::Tensor& gated_weight,
                     const at::Tensor& wo_weight, const at::Tensor& bias, int64_t intermediate) {
  const at::Tensor h = block_diagonal_linear(x, gated_weight, std::nullopt, 2 * intermediate);
  const int64_t width = x.sym_size(-1).guard_int(__FILE__, __LINE__);
  return block_diagonal_linear(gelu_gate(h), wo_weight, bias, width);
}

TORCH_LIBRARY_FRAGMENT(m2, library) {
  library.def("gelu_gate(Tensor h, float dropout=0., SymInt key=0, SymInt first_row=0) -> Tensor",
              [](const at::Tensor& h, double probability, c10::SymInt key, c10::SymInt first_row) {
                return gelu_gate(h, {probability, std::move(key), std::move(first_row)});
              });
  library.def(
      "gated_mlp(Tensor x, Tensor gated_weight, Tensor wo_weight, Tensor bias, int intermediate) "
      "-> Tensor",
      gated_mlp);
  library.def("_gelu_gate(Tensor h, float dropout, SymInt key, SymInt first_row) -> Tensor");
  library.def(
      "_gelu_gate_backward(Tensor h, Tensor dout, float dropout, SymInt key, SymInt first_row) "
      "-> Tensor");
}

TORCH_LIBRARY_IMPL(m2, CPU, library) {
  library.impl("_gelu_gate", forward_kernel);
  library.impl("_gelu_gate_backward", backward_kernel);
}

TORCH_LIBRARY_IMPL(m2, Meta, library) {
  library.impl("_gelu_gate", forward_shape);
  library.impl("_gelu_gate_backward", backward_shape);
}

}  // namespace m2::torch_ops
