#include "torch_ops/block_diagonal_linear.h"

#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <algorithm>
#include <numeric>
#include <tuple>

#include "torch_ops/kernel_call.h"
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

// rows is (rows, blocks · inputs of each), the result (rows, outputs).
at::Tensor forward_kernel(const at::Tensor& rows, const at::Tensor& weight, int64_t outputs) {
  const Blocks blocks(weight, outputs);
  at::Tensor y = at::empty({rows.size(0), outputs}, rows.options());
  for_each_piece(blocks, [&](int64_t block, const Piece& piece) {
    at::Tensor to = piece.of(blocks.outputs_of(y, block), 0);
    at::mm_out(to, piece.of(blocks.inputs_of(rows, block), 0), blocks.weight_of(weight, block).t());
  });
  return y;
}

using Gradients = std::tuple<at::Tensor, at::Tensor>;  // of the rows and the weight

Gradients backward_kernel(const at::Tensor& rows, const at::Tensor& weight, const at::Tensor& dy) {
  const Blocks blocks(weight, dy.size(1));
  at::Tensor drows = at::empty(rows.sizes(), rows.options());
  at::Tensor dweight = at::zeros(weight.sizes(), weight.options());
  for_each_piece(blocks, [&](int64_t block, const Piece& piece) {
    const at::Tensor upper = blocks.outputs_of(dy, block), live = blocks.weight_of(weight, block);
    at::Tensor to_input = piece.of(blocks.inputs_of(drows, block), 0);
    at::mm_out(to_input, piece.of(upper, 0), live);
    at::Tensor to_weight = piece.of(blocks.weight_of(dweight, block), 0);
    at::mm_out(to_weight, piece.of(upper, 1).t(), blocks.inputs_of(rows, block));
  });
  return {drows, dweight};
}

at::Tensor forward_shape(const at::Tensor& rows, const at::Tensor& /*weight*/, int64_t outputs) {
  return rows.new_empty_symint({rows.sym_size(0), outputs});
}

Gradients backward_shapes(const at::Tensor& rows, const at::Tensor& weight,
                          const at::Tensor& /*dy*/) {
  return {shape_of(rows), shape_of(weight)};
}

class BlockDiagonalFunction : public torch::autograd::Function<BlockDiagonalFunction> {
 public:
  static Variable forward(AutogradContext* context, const Variable& rows, const Variable& weight,
                          int64_t outputs) {
    context->save_for_backward({rows, weight});
    return call_kernel<forward_kernel>("m2::_block_diagonal_linear", rows, weight, outputs);
  }

  static variable_list backward(AutogradContext* context, const variable_list& dy) {
    refuse_second_derivative("block_diagonal_linear");
    const variable_list saved = context->get_saved_variables();
    const auto [drows, dweight] = call_kernel<backward_kernel>(
        "m2::_block_diagonal_linear_backward", saved[0], saved[1], dy[0]);
    return {drows, dweight, {}};
  }
};

}  // namespace

at::Tensor block_diagonal_linear(const at::Tensor& x, const at::Tensor& weight,
                                 const std::optional<at::Tensor>& bias, int64_t outputs) {
  TORCH_CHECK(weight.dim() == 3, "block_diagonal_linear: weight is (K, p, q), not ",
              weight.sym_sizes());
  const c10::SymInt inputs = weight.sym_size(0) * weight.sym_size(2);
  TORCH_CHECK(x.dim() >= 1 && x.sym_size(-1) <= inputs,
              "block_diagonal_linear: x is wider than the weight's inputs");
  TORCH_CHECK(outputs >= 1 && weight.sym_size(0) * weight.sym_size(1) >= outputs,
              "block_diagonal_linear: the weight has fewer outputs than ", outputs);
  TORCH_CHECK(!bias.has_value() || (bias->dim() == 1 && bias->sym_size(0) == outputs),
              "block_diagonal_linear: bias is (outputs)");
  const at::Tensor operands[] = {x, weight};
  const c10::SymInt missing = inputs - x.sym_size(-1);
  at::Tensor rows = x.reshape_symint({-1, x.sym_size(-1)});
  if (missing > 0) rows = at::constant_pad_nd_symint(rows, {0, missing});
  at::Tensor y = kernels_take(operands) && !under_autocast()
                     ? BlockDiagonalFunction::apply(rows, weight.contiguous(), outputs)
                     : plain::block_diagonal_linear(rows, weight, outputs);
  if (bias.has_value()) y = y + bias->to(y.scalar_type());
  c10::SymDimVector shape(x.sym_sizes());
  shape.back() = outputs;
  return y.reshape_symint(shape);
}

TORCH_LIBRARY_FRAGMENT(m2, library) {
  library.def("block_diagonal_linear(Tensor x, Tensor weight, Tensor? bias, int outputs) -> Tensor",
              block_diagonal_linear);
  library.def("_block_diagonal_linear(Tensor rows, Tensor weight, int outputs) -> Tensor");
  library.def(
      "_block_diagonal_linear_backward(Tensor rows, Tensor weight, Tensor dy) -> (Tensor, Tensor)");
}

TORCH_LIBRARY_IMPL(m2, CPU, library) {
  library.impl("_block_diagonal_linear", forward_kernel);
  library.impl("_block_diagonal_linear_backward", backward_kernel);
}

TORCH_LIBRARY_IMPL(m2, Meta, library) {
  library.impl("_block_diagonal_linear", forward_shape);
  library.impl("_block_diagonal_linear_backward", backward_shapes);
}

}  // namespace m2::torch_ops
