// Linear layers and norms, made from their parameters.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>

#include "train/models/layer_input.h"

namespace m2::train {

// x·Wᵀ + b. The result of one that the parameter list calls large is of its ProductType.
class Linear {
 public:
  // NAME.weight (out, in) and, where there is one, NAME.bias.
  Linear(const ParameterSet& parameters, const std::string& name);
  at::Tensor apply(const at::Tensor& x) const;  // in x's number type
  at::Tensor apply_large(const at::Tensor& x, const Pass& pass) const;

 private:
  at::Tensor weight_;
  std::optional<at::Tensor> bias_;
};

// A matrix of the MLP: block-diagonal with use_monarch_mlp, else dense.
class MlpLinear {
 public:
  MlpLinear(const ParameterSet& parameters, const std::string& name, int64_t outputs);
  at::Tensor apply(const at::Tensor& x, const Pass& pass) const;

 private:
  at::Tensor weight_;  // (K, p, q) or (out, in)
  std::optional<at::Tensor> bias_;
  int64_t outputs_;
};

// LayerNorm, in the parameters' number type.
class Norm {
 public:
  Norm(const ParameterSet& parameters, const std::string& name, double eps);
  at::Tensor apply(const at::Tensor& x) const;

 private:
  at::Tensor weight_, bias_;
  double eps_;
};

}  // namespace m2::train
