#include "train/models/recompute.h"

#include <ATen/core/grad_mode.h>
#include <ATen/core/ivalue.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <utility>

namespace m2::train {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using Body = std::function<at::Tensor(const at::Tensor&)>;

struct BodyHolder final : torch::CustomClassHolder {
  explicit BodyHolder(Body held) : body(std::move(held)) {}
  Body body;
};

struct Recomputed final : torch::autograd::Function<Recomputed> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x,
                            at::TensorList parameters, const Body& body) {
    variable_list saved = {x};
    saved.insert(saved.end(), parameters.begin(), parameters.end());
    context->save_for_backward(std::move(saved));
    context->saved_data["body"] = c10::IValue::make_capsule(c10::make_intrusive<BodyHolder>(body));
    return body(x);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const c10::AutoGradMode with_graph(true);
    variable_list inputs = context->get_saved_variables();
    inputs[0] = inputs[0].detach().requires_grad_(true);
    const auto holder = context->saved_data["body"].toCapsule();
    const at::Tensor y = static_cast<BodyHolder&>(*holder).body(inputs[0]);
    variable_list result = torch::autograd::grad({y}, inputs, gradients, std::nullopt,
                                                 /*create_graph=*/false, /*allow_unused=*/true);
    result.emplace_back();  // of `body`
    return result;
  }
};

}  // namespace

at::Tensor recomputed(const Body& body, const at::Tensor& x,
                      const std::vector<at::Tensor>& parameters) {
  if (!c10::GradMode::is_enabled()) return body(x);
  return Recomputed::apply(x, at::TensorList(parameters), body);
}

}  // namespace m2::train
