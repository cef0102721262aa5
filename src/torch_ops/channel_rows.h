// Between activations as libtorch lays them out, (B, L, C), and the channel blocks of the kernels.
#pragma once

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cstddef>

#include "kernels/layout.h"

namespace m2::torch_ops {

// The rows of one text of one channel block of a (B, L, C) tensor with contiguous channels. The
// last block may have fewer than 16 channels: lanes beyond them read as zero and are not written.
template <class Float>
struct ChannelRows {
  Float* first = nullptr;
  size_t stride = 0;    // floats between rows
  size_t channels = 0;  // 1 to 16
};

template <class Float>
ChannelRows<Float> channel_rows(const at::Tensor& tensor, int64_t text, size_t block) {
  const auto first = static_cast<int64_t>(block * kChannelBlock);
  return {static_cast<Float*>(tensor.data_ptr()) + text * tensor.stride(0) + first,
          static_cast<size_t>(tensor.stride(1)),
          std::min(kChannelBlock, static_cast<size_t>(tensor.size(2) - first))};
}

// out[t][c] = from[t][c]
inline void gather(const ChannelRows<const float>& from, size_t rows, float* out) {
  for (size_t t = 0; t < rows; ++t, out += kChannelBlock) {
    const float* row = from.first + t * from.stride;
    if (from.channels == kChannelBlock) {
      for (size_t c = 0; c < kChannelBlock; ++c) out[c] = row[c];
    } else {
      std::fill_n(std::copy_n(row, from.channels, out), kChannelBlock - from.channels, 0.0f);
    }
  }
}

// out[t][c] = a[t][c]·b[t][c]
inline void gather_product(const ChannelRows<const float>& a, const ChannelRows<const float>& b,
                           size_t rows, float* out) {
  for (size_t t = 0; t < rows; ++t, out += kChannelBlock) {
    const float *left = a.first + t * a.stride, *right = b.first + t * b.stride;
    if (a.channels == kChannelBlock) {
      for (size_t c = 0; c < kChannelBlock; ++c) out[c] = left[c] * right[c];
    } else {
      for (size_t c = 0; c < kChannelBlock; ++c)
        out[c] = c < a.channels ? left[c] * right[c] : 0.0f;
    }
  }
}

// to[t][c] = from[t][c]
inline void scatter(const float* from, size_t rows, const ChannelRows<float>& to) {
  for (size_t t = 0; t < rows; ++t, from += kChannelBlock) {
    std::copy_n(from, to.channels, to.first + t * to.stride);
  }
}

// to[t][c] = from[t][c]·factor[t][c]
inline void scatter_product(const float* from, const ChannelRows<const float>& factor, size_t rows,
                            const ChannelRows<float>& to) {
  for (size_t t = 0; t < rows; ++t, from += kChannelBlock) {
    const float* by = factor.first + t * factor.stride;
    float* row = to.first + t * to.stride;
    if (to.channels == kChannelBlock) {
      for (size_t c = 0; c < kChannelBlock; ++c) row[c] = from[c] * by[c];
    } else {
      for (size_t c = 0; c < to.channels; ++c) row[c] = from[c] * by[c];
    }
  }
}

}  // namespace m2::torch_ops
