#include "torch_ops/block_diagonal_linear.h"

#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <algorithm>
#include <numeric>

#include "torch_ops/operands.h"
#include "torch_ops/parallel.h"
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
    return rows.narrow(1, std::min(block * outputs_each, outputs), live(block));
  }
  at::Tensor weight_of(const at::Tensor& weight, int64_t block) const {
    return weight[block].narrow(0, 0, live(block));
  }

  int64_t count, outputs_each, inputs_each, outputs;
};

// One of `count` parts of a block's rows or outputs.
struct Piece {
  at::Tensor of(const at::Tensor& tensor, int64_t axis) const {
    const int64_t size = tensor.size(axis), first = size * index / count;
    return tensor.narrow(axis, first, size * (index + 1) / count - first);
  }

  int64_t index, count;
};

// Calls body(block, piece) on libtorch's threads, as many pieces to a block as share the work
// evenly. Products within are of one thread each, and the threads meet once, not after each.
template <class Body>
void for_each_piece(const Blocks& blocks, const Body& body) {
  const int64_t threads = at::get_num_threads();
  const int64_t pieces = threads / std::gcd(threads, blocks.count);
  at::parallel_for(0, blocks.count * pieces, 1, [&](int64_t begin, int64_t end) {
    const at::AutoDispatchBelowADInplaceOrView no_graph;  // a thread's own setting
    for (int64_t i = begin; i < end; ++i) body(i / pieces, Piece{i % pieces, pieces});
  });
}

class BlockDiagonalFunction : public torch::autograd::Function<BlockDiagonalFunction> {
 public:
  // x is (rows, blocks · inputs of each).
  static Variable forward(AutogradContext* context, const Variable& x, const Variable& weight,
                          int64_t outputs) {
    context->save_for_backward({x, weight});
    context->saved_data["outputs"] = outputs;
    const Blocks blocks(weight, outputs);
    Variable y = at::empty({x.size(0), outputs}, x.options());
    for_each_piece(blocks, [&](int64_t block, const Piece& piece) {
      at::Tensor to = piece.of(blocks.outputs_of(y, block), 0);
      at::mm_out(to, piece.of(blocks.inputs_of(x, block), 0), blocks.weight_of(weight, block).t());
    });
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const Variable &x = saved[0], &weight = saved[1], &dy = gradients[0];
    const Blocks blocks(weight, context->saved_data["outputs"].toInt());
    Variable dx = at::empty(x.sizes(), x.options());
    Variable dweight = at::zeros(weight.sizes(), weight.options());
    for_each_piece(blocks, [&](int64_t block, const Piece& piece) {
      const at::Tensor upper = blocks.outputs_of(dy, block), live = blocks.weight_of(weight, block);
      at::Tensor to_input = piece.of(blocks.inputs_of(dx, block), 0);
      at::mm_out(to_input, piece.of(upper, 0), live);
      at::Tensor to_weight = piece.of(blocks.weight_of(dweight, block), 0);
      at::mm_out(to_weight, piece.of(upper, 1).t(), blocks.inputs_of(x, block));
    });
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
