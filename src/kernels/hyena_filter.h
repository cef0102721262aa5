// The element-wise steps of the filter network of a long convolution.
//
//   sine:    x <- sin(frequency · x), frequency being w_mod · freq, one a channel
//   decay:   k[t] = taps[t] · exp(−time[t] · |delta|), one delta a channel
#pragma once

#include <cstddef>

namespace m2 {

struct SineTile {
  size_t rows = 0;
  size_t channels = 0;
  size_t stride = 0;                 // floats between rows; a multiple of kChannelBlock >= channels
  const float* frequency = nullptr;  // [channels] filled up to a multiple of kChannelBlock
  float* x = nullptr;                // in place
};

// To 2e-7 absolute for |frequency·x| up to 10,000.
void filter_sine(const SineTile& tile);

// Takes rows of taps from a tile to one channel block of a circular kernel.
struct DecayBlock {
  size_t rows = 0;
  size_t tile_stride = 0;        // floats between the tile's rows
  const float* taps = nullptr;   // the tile, at the block's first channel
  const float* time = nullptr;   // [rows]
  const float* delta = nullptr;  // [16], its absolute value taken here
  float* kernel = nullptr;       // [16] a row: tap 0's place
  ptrdiff_t kernel_step = 0;     // floats from a tap's place to the next: 16, or −16 for a reverse
};

void filter_decay(const DecayBlock& block);

namespace reference {
void filter_sine(const SineTile& tile, double* out);
void filter_decay(const DecayBlock& block, double* out);  // out is [rows][16]
}  // namespace reference
}  // namespace m2
