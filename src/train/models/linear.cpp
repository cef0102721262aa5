#include "train/models/linear.h"

#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>

#include "torch_ops/block_diagonal_linear.h"
#include "train/models/product_type.h"

namespace m2::train {
namespace {

std::optional<at::Tensor> optional_bias(const ParameterSet& parameters, const std::string& name) {
  if (!parameters.has(name + ".bias")) return std::nullopt;
  return parameters.get(name + ".bias");
}

}  // namespace

Linear::Linear(const ParameterSet& parameters, const std::string& name)
    : weight_(parameters.get(name + ".weight")), bias_(optional_bias(parameters, name)) {}

at::Tensor Linear::apply(const at::Tensor& x) const {
  return at::linear(x, weight_, bias_);
}

at::Tensor Linear::apply_large(const at::Tensor& x, const Pass& pass) const {
  const ProductType type = product_type(pass.bf16, weight_);
  return type.result(at::linear(type.operand(x), type.operand(weight_), type.operand(bias_)));
}

MlpLinear::MlpLinear(const ParameterSet& parameters, const std::string& name, int64_t outputs)
    : weight_(parameters.get(name + ".weight")),
      bias_(optional_bias(parameters, name)),
      outputs_(outputs) {}

at::Tensor MlpLinear::apply(const at::Tensor& x, const Pass& pass) const {
  const ProductType type = product_type(pass.bf16, weight_);
  const at::Tensor operand = type.operand(x), weight = type.operand(weight_);
  const std::optional<at::Tensor> bias = type.operand(bias_);
  return type.result(weight.dim() == 2
                         ? at::linear(operand, weight, bias)
                         : torch_ops::block_diagonal_linear(operand, weight, bias, outputs_));
}

Norm::Norm(const ParameterSet& parameters, const std::string& name, double eps)
    : weight_(parameters.get(name + ".weight")), bias_(parameters.get(name + ".bias")), eps_(eps) {}

at::Tensor Norm::apply(const at::Tensor& x) const {
  return at::layer_norm(x.to(weight_.scalar_type()), weight_.sizes(), weight_, bias_, eps_);
}

}  // namespace m2::train
