// kernels: the loops that touch every number. reference/ holds the obvious form of each, in double;
// cpu/ holds the SIMD form, one source compiled for each instruction set and chosen at run time.
// Uses core, config and monarch, and knows no framework: every entry takes plain sizes and
// pointers.
#pragma once

#include <cstddef>

namespace m2 {

// Activations lie in channel blocks: [channels / 16][rows][16] fp32. A block is what one pass of
// the long convolution works on: 16 channels are one AVX-512 vector, two AVX2 vectors, and a row of
// a block is one cache line. Channels that fill up the last block are zero.
inline constexpr size_t kChannelBlock = 16;

constexpr size_t channel_blocks(size_t channels) {
  return (channels + kChannelBlock - 1) / kChannelBlock;
}

constexpr size_t round_up(size_t value, size_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

}  // namespace m2
