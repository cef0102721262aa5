#include "train/models/linear.h"

#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>

#include "torch_ops/block_diagonal_linear.h"

namespace m2::train {
namespace {

std::optional<at::Tensor> optional_bias(const ParameterSet& parameters, const std::string& name) {
  if (!parameters.has(name + ".bias")) return std::nullopt;
  return parameters.get(name + ".bias");
}

std::optional<at::Tensor> converted(const std::optional<at::Tensor>& tensor, at::ScalarType type) {
  return tensor ? std::optional(tensor->to(type)) : std::nullopt;
}

}  // namespace

at::ScalarType product_type(const Pass& pass, at::ScalarType parameters) {
  return pass.bf16 ? at::kBFloat16 : parameters;
}

Linear::Linear(const ParameterSet& parameters, const std::string& name)
    : weight_(parameters.get(name + ".weight")), bias_(optional_bias(parameters, name)) {}

at::Tensor Linear::apply(const at::Tensor& x) const {
  return at::linear(x, weight_, bias_);
}

at::Tensor Linear::apply_large(const at::Tensor& x, const Pass& pass) const {
  const at::ScalarType type = product_type(pass, weight_.scalar_type());
  return at::linear(x.to(type), weight_.to(type), converted(bias_, type));
}

MlpLinear::MlpLinear(const ParameterSet& parameters, const std::string& name, int64_t outputs)
    : weight_(parameters.get(name + ".weight")),
      bias_(optional_bias(parameters, name)),
      outputs_(outputs) {}

at::Tensor MlpLinear::apply(const at::Tensor& x, const Pass& pass) const {
  const at::ScalarType type = product_type(pass, weight_.scalar_type());
  const at::Tensor operand = x.to(type), weight = weight_.to(type);
  const std::optional<at::Tensor> bias = converted(bias_, type);
  if (weight.dim() == 2) return at::linear(operand, weight, bias);
  return torch_ops::block_diagonal_linear(operand, weight, bias, outputs_);
}

Norm::Norm(const ParameterSet& parameters, const std::string& name, double eps)
    : weight_(parameters.get(name + ".weight")), bias_(parameters.get(name + ".bias")), eps_(eps) {}

at::Tensor Norm::apply(const at::Tensor& x) const {
  return at::layer_norm(x.to(weight_.scalar_type()), weight_.sizes(), weight_, bias_, eps_);
}

}  // namespace m2::train
