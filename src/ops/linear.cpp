#include "ops/linear.h"

#include <algorithm>

#include "core/error.h"
#include "kernels/layout.h"

namespace m2 {

size_t tile_stride(size_t width, size_t blocks) {
  return round_up(round_up(width, blocks), kChannelBlock);
}

Linear Linear::dense(size_t in, size_t out, const Strides& strides, const float* weight,
                     const float* bias) {
  return block_diagonal(1, in, out, strides, weight, bias);
}

Linear Linear::block_diagonal(size_t blocks, size_t in, size_t out, const Strides& strides,
                              const float* weight, const float* bias) {
  M2_CHECK(blocks > 0 && in > 0 && out > 0);
  M2_CHECK(strides.in >= tile_stride(in, blocks) && strides.out >= tile_stride(out, blocks));
  Linear linear;
  linear.blocks_ = blocks;
  linear.out_ = out;
  linear.in_stride_ = strides.in;
  linear.out_stride_ = strides.out;
  linear.block_in_ = round_up(in, blocks) / blocks;
  linear.block_out_ = round_up(out, blocks) / blocks;
  if (bias != nullptr) {
    linear.bias_.resize(strides.out);
    float* end = std::copy(bias, bias + out, linear.bias_.data());
    std::fill(end, linear.bias_.data() + strides.out, 0.0f);
  }
  const PackedMatrix::Shape shape = {linear.block_in_, linear.block_out_, strides.in, strides.out,
                                     bias != nullptr};
  for (size_t block = 0; block < blocks; ++block) {
    linear.matrices_.emplace_back(shape, weight + block * linear.block_in_ * linear.block_out_,
                                  linear.block_in_);
  }
  return linear;
}

void Linear::apply(size_t rows, const float* in, float* out) const {
  for (size_t block = 0; block < blocks_; ++block) {
    const float* bias = bias_.size() == 0 ? nullptr : bias_.data() + block * block_out_;
    matrices_[block].multiply(rows, in + block * block_in_, bias, out + block * block_out_);
  }
  if (out_ == out_stride_) return;
  for (size_t row = 0; row < rows; ++row) {
    std::fill(out + row * out_stride_ + out_, out + (row + 1) * out_stride_, 0.0f);
  }
}

}  // namespace m2
