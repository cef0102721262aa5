// The dimension mixer's activation, and the whole block-diagonal gated MLP.
#pragma once

#include <ATen/core/Tensor.h>

#include "torch_ops/counter_dropout.h"

namespace m2::torch_ops {

// GELU(h[…, :I]) ⊙ h[…, I:] with the exact (erf) GELU, and counter_dropout of that; h is (…, 2I),
// the result (…, I). The mask is computed again in the backward pass, not kept. In fp32 on a CPU
// there are first derivatives only.
at::Tensor gelu_gate(const at::Tensor& h, const DropoutCounter& dropout = {});

// wo·gelu_gate(gated·x) + bias, both matrices block-diagonal (block_diagonal_linear.h): x is (…,
// H), gated_weight (K, ceil(2I/K), ceil(H/K)), wo_weight (K, ceil(H/K), ceil(I/K)), bias (H). Keeps
// for the backward pass 3I numbers a token: the gated layer's outputs and the second one's inputs.
at::Tensor gated_mlp(const at::Tensor& x, const at::Tensor& gated_weight,
                     const at::Tensor& wo_weight, const at::Tensor& bias, int64_t intermediate);

}  // namespace m2::torch_ops
