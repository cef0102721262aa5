#include "ops/norm.h"

#include <algorithm>

#include "core/error.h"
#include "kernels/layer_norm.h"
#include "kernels/layout.h"

namespace m2 {
namespace {

void fill_up(std::span<const float> values, AlignedBuffer<float>& buffer) {
  buffer.resize(round_up(values.size(), kChannelBlock));
  float* end = std::copy(values.begin(), values.end(), buffer.data());
  std::fill(end, buffer.data() + buffer.size(), 0.0f);
}

}  // namespace

Norm::Norm(std::span<const float> weight, std::span<const float> bias, double eps)
    : channels_(weight.size()), eps_(static_cast<float>(eps)) {
  M2_CHECK(weight.size() == bias.size());
  fill_up(weight, weight_);
  fill_up(bias, bias_);
}

void Norm::apply(size_t rows, size_t stride, const float* x, const float* residual,
                 float* out) const {
  M2_CHECK(stride % kChannelBlock == 0 && stride >= channels_);
  layer_norm({rows, channels_, stride, x, residual, weight_.data(), bias_.data(), eps_, out});
}

}  // namespace m2
