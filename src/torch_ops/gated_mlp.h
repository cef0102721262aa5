// The dimension mixer's activation, and the whole block-diagonal gated MLP.
#pragma once

#include <ATen/core/Tensor.h>

#include "torch_ops/counter_dropout.h"

namespace m2::torch_ops {

// GELU(h[…, :I]) ⊙ h[…, I:] with the exact (erf) GELU, and counter_dropout of that; h is (…, 2I),
// the result (…, I). The mask is computed again in the backward pass, not kept.
at::Tensor gelu_gate(const at::Tensor& h, const DropoutCounter& dropout = {});

// wo·gelu_gate(gated·x) + bias, both matrices block-diagonal (block_diagonal_linear.h): x is (…,
// H), gated_weight (K, ceil(2I/K), ceil(H/K)), wo_weight (K, ceil(H/K), ceil(I/K)), bias (H). Keeps
// the gated layer's 2I outputs a token for the backward pass.
at::Tensor gated_mlp(const at::Tensor& x, const at::Tensor& gated_weight,
                     const at::Tensor& wo_weight, const at::Tensor& bias, int64_t intermediate);

}  // namespace m2::torch_ops
