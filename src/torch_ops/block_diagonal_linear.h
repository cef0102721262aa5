// A linear layer whose matrix is block-diagonal: one factor of a Monarch matrix.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

namespace m2::torch_ops {

// y = blockdiag(weight)·x (+ bias). x is (…, in), weight (K, p, q) with K blocks of p outputs and q
// inputs: block k reads inputs [k·q, (k + 1)·q) and writes outputs [k·p, (k + 1)·p). An input
// narrower than K·q is filled up with zeros; the first `outputs` <= K·p outputs are returned, (…,
// outputs). bias is (outputs) and is added in the product's type, which autocast may have
// chosen. Gradients for x, weight and bias, in fp32 on a CPU first derivatives only.
at::Tensor block_diagonal_linear(const at::Tensor& x, const at::Tensor& weight,
                                 const std::optional<at::Tensor>& bias, int64_t outputs);

}  // namespace m2::torch_ops
