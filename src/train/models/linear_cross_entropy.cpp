#include "train/models/linear_cross_entropy.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

namespace m2::train {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int64_t kRowsAtATime = 1024;

// Sums over pieces of rows, and with `wants_gradients` their gradients.
class Pieces {
 public:
  Pieces(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
         const ProductType& type, bool wants_gradients)
      : type_(type),
        weight_(type.operand(weight)),
        bias_(type.operand(bias)),
        sum_(at::zeros({}, x.options())),
        wants_gradients_(wants_gradients) {
    if (!wants_gradients) return;
    x_gradient_ = at::empty_like(x);
    weight_gradient_ = at::zeros_like(weight);
    bias_gradient_ = at::zeros_like(bias);
  }

  // Rows [first, first + x.size(0)) of the whole.
  void add(int64_t first, const at::Tensor& x, const at::Tensor& labels, bool count_correct) {
    const at::Tensor operand = type_.operand(x);
    const at::Tensor logits = type_.result(at::linear(operand, weight_, bias_)).to(x.scalar_type());
    if (count_correct) correct_ += at::argmax(logits, 1).eq(labels).sum().item<int64_t>();
    at::Tensor slope = at::log_softmax(logits, 1);
    const at::Tensor at_label = labels.unsqueeze(1);
    sum_ -= slope.gather(1, at_label).sum();
    if (!wants_gradients_) return;
    slope.exp_();
    slope.scatter_add_(1, at_label, at::ones({x.size(0), 1}, x.options()).neg_());
    bias_gradient_ += slope.sum(0);
    slope = type_.operand(slope);
    x_gradient_.narrow(0, first, x.size(0)).copy_(type_.result(at::mm(slope, weight_)));
    if (slope.scalar_type() == weight_gradient_.scalar_type()) {
      weight_gradient_.addmm_(slope.t(), operand);
    } else {
      weight_gradient_ += at::mm(slope.t(), operand);
    }
  }

  const at::Tensor& sum() const { return sum_; }
  int64_t correct() const { return correct_; }
  variable_list gradients() const { return {x_gradient_, weight_gradient_, bias_gradient_}; }

 private:
  ProductType type_;
  at::Tensor weight_, bias_, sum_, x_gradient_, weight_gradient_, bias_gradient_;
  bool wants_gradients_;
  int64_t correct_ = 0;
};

// Made in the forward pass, where the logits are: the backward pass scales them.
struct LinearCrossEntropy final : torch::autograd::Function<LinearCrossEntropy> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                            const at::Tensor& bias, const at::Tensor& labels,
                            const ProductType& type, bool wants_gradients, int64_t* correct) {
    Pieces pieces(x, weight, bias, type, wants_gradients);
    for (int64_t first = 0; first < x.size(0); first += kRowsAtATime) {
      const int64_t rows = std::min(kRowsAtATime, x.size(0) - first);
      pieces.add(first, x.narrow(0, first, rows), labels.narrow(0, first, rows),
                 correct != nullptr);
    }
    if (wants_gradients) context->save_for_backward(pieces.gradients());
    if (correct != nullptr) *correct = pieces.correct();
    return pieces.sum();
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    variable_list result = context->get_saved_variables();
    for (at::Tensor& gradient : result) gradient = gradient * gradients[0];
    result.resize(7);  // the rest are no tensors that train
    return result;
  }
};

}  // namespace

CrossEntropy linear_cross_entropy(const at::Tensor& x, const at::Tensor& weight,
                                  const at::Tensor& bias, const at::Tensor& labels,
                                  const ProductType& type, bool count_correct) {
  CrossEntropy result;
  result.sum = LinearCrossEntropy::apply(x, weight, bias, labels, type, c10::GradMode::is_enabled(),
                                         count_correct ? &result.correct : nullptr);
  return result;
}

}  // namespace m2::train
