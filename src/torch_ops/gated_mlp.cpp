#include "torch_ops/gated_mlp.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include "kernels/gelu_gate.h"
#include "torch_ops/block_diagonal_linear.h"
#include "torch_ops/operands.h"
#include "torch_ops/plain.h"

namespace m2::torch_ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

constexpr int64_t kRowsOfATask = 16;

// Calls body(first row, rows) on libtorch's threads.
template <class Body>
void for_each_tile(const at::Tensor& h, const Body& body) {
  at::parallel_for(0, h.numel() / h.size(-1), kRowsOfATask, [&](int64_t begin, int64_t end) {
    body(begin, static_cast<size_t>(end - begin));
  });
}

class GeluGateFunction : public torch::autograd::Function<GeluGateFunction> {
 public:
  static Variable forward(AutogradContext* context, const Variable& h) {
    context->save_for_backward({h});
    const int64_t width = h.size(-1) / 2;
    std::vector<int64_t> shape = h.sizes().vec();
    shape.back() = width;
    Variable out = at::empty(shape, h.options());
    for_each_tile(h, [&](int64_t row, size_t rows) {
      const float* first = h.const_data_ptr<float>() + row * 2 * width;
      m2::gelu_gate({rows, static_cast<size_t>(width), static_cast<size_t>(2 * width),
                     static_cast<size_t>(width), first, first + width,
                     out.data_ptr<float>() + row * width});
    });
    return out;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const Variable h = context->get_saved_variables()[0];
    const Variable dout = gradients[0].contiguous();
    const int64_t width = h.size(-1) / 2;
    Variable dh = at::empty(h.sizes(), h.options());
    for_each_tile(h, [&](int64_t row, size_t rows) {
      const float* first = h.const_data_ptr<float>() + row * 2 * width;
      float* to = dh.data_ptr<float>() + row * 2 * width;
      gelu_gate_gradient({rows, static_cast<size_t>(width), static_cast<size_t>(2 * width),
                          static_cast<size_t>(width), first, first + width,
                          dout.const_data_ptr<float>() + row * width, to, to + width});
    });
    return {dh};
  }
};

}  // namespace

at::Tensor gelu_gate(const at::Tensor& h) {
  TORCH_CHECK(h.dim() >= 1 && h.size(-1) % 2 == 0, "gelu_gate: h is (…, 2I), not ", h.sizes());
  if (!kernels_take(h)) return plain::gelu_gate(h);
  return GeluGateFunction::apply(h.contiguous());
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
