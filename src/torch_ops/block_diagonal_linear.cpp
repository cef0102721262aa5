#include "torch_ops/block_diagonal_linear.h"

#include <ATen/ops/addmm.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include "torch_ops/operands.h"
#include "torch_ops/plain.h"

namespace m2::torch_ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

// One block of a block-diagonal product as a GEMM on columns of the whole rows, in place: no
// operand is copied into a batch.
struct Blocks {
  Blocks(const at::Tensor& weight, int64_t all_outputs)
      : count(weight.size(0)),
        outputs_each(weight.size(1)),
        inputs_each(weight.size(2)),
        outputs(all_outputs) {}

  at::Tensor inputs_of(const at::Tensor& rows, int64_t block) const {
    return rows.narrow(1, block * inputs_each, inputs_each);
  }
  // The last blocks may have fewer outputs, or none.
  int64_t live(int64_t block) const {
    return std::max<int64_t>(0, std::min(outputs_each, outputs - block * outputs_each));
  }
  at::Tensor outputs_of(const at::Tensor& rows, int64_t block) const {
    return rows.narrow(1, block * outputs_each, live(block));
  }
  at::Tensor weight_of(const at::Tensor& weight, int64_t block) const {
    return weight[block].narrow(0, 0, live(block));
  }

  int64_t count, outputs_each, inputs_each, outputs;
};

class BlockDiagonalFunction : public torch::autograd::Function<BlockDiagonalFunction> {
 public:
  // x is (rows, blocks · inputs of each).
  static Variable forward(AutogradContext* context, const Variable& x, const Variable& weight,
                          int64_t outputs) {
    context->save_for_backward({x, weight});
    context->saved_data["outputs"] = outputs;
    const Blocks blocks(weight, outputs);
    Variable y = at::empty({x.size(0), outputs}, x.options());
    for (int64_t i = 0; i < blocks.count && blocks.live(i) > 0; ++i) {
      at::Tensor to = blocks.outputs_of(y, i);
      at::mm_out(to, blocks.inputs_of(x, i), blocks.weight_of(weight, i).t());
    }
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const Variable &x = saved[0], &weight = saved[1], &dy = gradients[0];
    const Blocks blocks(weight, context->saved_data["outputs"].toInt());
    Variable dx = at::empty(x.sizes(), x.options());
    Variable dweight = at::empty(weight.sizes(), weight.options());
    for (int64_t i = 0; i < blocks.count; ++i) {
      at::Tensor to_input = blocks.inputs_of(dx, i);
      at::Tensor to_weight = blocks.weight_of(dweight, i);
      dweight[i].narrow(0, blocks.live(i), blocks.outputs_each - blocks.live(i)).zero_();
      if (blocks.live(i) == 0) {
        to_input.zero_();
        continue;
      }
      at::mm_out(to_input, blocks.outputs_of(dy, i), blocks.weight_of(weight, i));
      at::mm_out(to_weight, blocks.outputs_of(dy, i).t(), blocks.inputs_of(x, i));
    }
    return {dx, dweight, {}};
  }
};

}  // namespace

at::Tensor block_diagonal_linear(const at::Tensor& x, const at::Tensor& weight,
                                 const std::optional<at::Tensor>& bias, int64_t outputs) {
  TORCH_CHECK(weight.dim() == 3, "block_diagonal_linear: weight is (K, p, q), not ",
              weight.sizes());
  const int64_t inputs = weight.size(0) * weight.size(2);
  TORCH_CHECK(x.dim() >= 1 && x.size(-1) <= inputs,
              "block_diagonal_linear: x is wider than the weight's inputs");
  TORCH_CHECK(outputs >= 1 && outputs <= weight.size(0) * weight.size(1),
              "block_diagonal_linear: the weight has fewer outputs than ", outputs);
  TORCH_CHECK(!bias.has_value() || (bias->dim() == 1 && bias->size(0) == outputs),
              "block_diagonal_linear: bias is (outputs)");
  const at::Tensor operands[] = {x, weight};
  if (!kernels_take(operands) || under_autocast()) {
    return plain::block_diagonal_linear(x, weight, bias, outputs);
  }
  at::Tensor rows = x.reshape({-1, x.size(-1)});
  if (inputs > x.size(-1)) rows = at::constant_pad_nd(rows, {0, inputs - x.size(-1)});
  at::Tensor y = BlockDiagonalFunction::apply(rows, weight.contiguous(), outputs);
  if (bias.has_value()) y = y + *bias;
  std::vector<int64_t> shape = x.sizes().vec();
  shape.back() = outputs;
  return y.view(shape);
}

TORCH_LIBRARY_FRAGMENT(m2, library) {
  library.def("block_diagonal_linear(Tensor x, Tensor weight, Tensor? bias, int outputs) -> Tensor",
              block_diagonal_linear);
}

}  // namespace m2::torch_ops
