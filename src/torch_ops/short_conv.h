// The depthwise convolution of three taps before the gates.
#pragma once

#include <ATen/core/Tensor.h>

namespace m2::torch_ops {

// y[t] = w[0]·x[t−2] + w[1]·x[t−1] + w[2]·x[t] + bias, per channel, x = 0 before the text. x is
// (B, L, C), weight (C, 1, 3), bias (C); gradients for all three, in fp32 on a CPU first
// derivatives only.
at::Tensor short_conv(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

}  // namespace m2::torch_ops
