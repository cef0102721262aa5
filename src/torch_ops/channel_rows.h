// Between activations as libtorch lays them out, (B, L, C), and the channel blocks of the kernels.
#pragma once

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cstddef>

#include "kernels/layout.h"

namespace m2::torch_ops {

// Channel blocks are moved several at a time: a row of (B, L, C) lies on a page of its own, and one
// block of it is one cache line.
inline constexpr size_t kGroupBlocks = 4;
inline constexpr size_t kGroupChannels = kGroupBlocks * kChannelBlock;

constexpr size_t channel_groups(size_t channels) {
  return (channels + kGroupChannels - 1) / kGroupChannels;
}

// The rows of one text of one group of channels of a (B, L, C) tensor with contiguous channels.
template <class Float>
struct GroupRows {
  Float* first = nullptr;
  size_t stride = 0;    // floats between rows
  size_t channels = 0;  // 1 to kGroupChannels

  size_t blocks() const { return channel_blocks(channels); }
  Float* row(size_t t) const { return first + t * stride; }
};

template <class Float>
GroupRows<Float> group_rows(const at::Tensor& tensor, int64_t text, size_t group) {
  const auto first = static_cast<int64_t>(group * kGroupChannels);
  return {static_cast<Float*>(tensor.data_ptr()) + text * tensor.stride(0) + first,
          static_cast<size_t>(tensor.stride(1)),
          std::min(kGroupChannels, static_cast<size_t>(tensor.size(2) - first))};
}

// The group's blocks, [block][capacity][16]: capacity is at least the rows of any text.
struct GroupBlocks {
  float* first = nullptr;
  size_t capacity = 0;

  float* block(size_t b) const { return first + b * capacity * kChannelBlock; }
};

// Calls body(c, at) for each channel c of the group's row t; `at` is its place in GroupBlocks. A
// whole block is a loop of known length, so that it becomes vectors.
template <class Body>
inline void for_each_channel(size_t channels, size_t capacity, size_t t, const Body& body) {
  for (size_t b = 0; b * kChannelBlock < channels; ++b) {
    const size_t first = b * kChannelBlock, at = (b * capacity + t) * kChannelBlock;
    if (first + kChannelBlock <= channels) {
      for (size_t c = 0; c < kChannelBlock; ++c) body(first + c, at + c);
    } else {
      for (size_t c = 0; first + c < channels; ++c) body(first + c, at + c);
    }
  }
}

// Asks for a row some rows ahead of its use: the hardware does not look beyond a page.
template <class Float>
inline void prefetch_row(const GroupRows<Float>& rows, size_t t, bool written = false) {
  constexpr size_t kAhead = 12;
  const char* row = reinterpret_cast<const char*>(rows.row(t + kAhead));
  for (size_t b = 0; b < rows.blocks(); ++b) {
    if (written) {
      __builtin_prefetch(row + b * 64, 1);
    } else {
      __builtin_prefetch(row + b * 64, 0);
    }
  }
}

// to[t][c] = from[t][c]
inline void gather(const GroupRows<const float>& from, size_t rows, const GroupBlocks& to) {
  for (size_t t = 0; t < rows; ++t) {
    prefetch_row(from, t);
    const float* row = from.row(t);
    for_each_channel(from.channels, to.capacity, t,
                     [&](size_t c, size_t at) { to.first[at] = row[c]; });
  }
}

// to[t][c] = a[t][c]·b[t][c]
inline void gather_product(const GroupRows<const float>& a, const GroupRows<const float>& b,
                           size_t rows, const GroupBlocks& to) {
  for (size_t t = 0; t < rows; ++t) {
    prefetch_row(a, t);
    prefetch_row(b, t);
    const float *left = a.row(t), *right = b.row(t);
    for_each_channel(a.channels, to.capacity, t,
                     [&](size_t c, size_t at) { to.first[at] = left[c] * right[c]; });
  }
}

// to[t][c] = from[t][c]
inline void scatter(const GroupBlocks& from, size_t rows, const GroupRows<float>& to) {
  for (size_t t = 0; t < rows; ++t) {
    prefetch_row(to, t, true);
    float* row = to.row(t);
    for_each_channel(to.channels, from.capacity, t,
                     [&](size_t c, size_t at) { row[c] = from.first[at]; });
  }
}

// to[t][c] = from[t][c]·factor[t][c]
inline void scatter_product(const GroupBlocks& from, const GroupRows<const float>& factor,
                            size_t rows, const GroupRows<float>& to) {
  for (size_t t = 0; t < rows; ++t) {
    prefetch_row(factor, t);
    prefetch_row(to, t, true);
    const float* by = factor.row(t);
    float* row = to.row(t);
    for_each_channel(to.channels, from.capacity, t,
                     [&](size_t c, size_t at) { row[c] = from.first[at] * by[c]; });
  }
}

inline void zero_behind(const GroupRows<float>& rows, size_t length, size_t all) {
  for (size_t t = length; t < all; ++t) std::fill_n(rows.row(t), rows.channels, 0.0f);
}

}  // namespace m2::torch_ops
