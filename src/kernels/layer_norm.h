// LayerNorm over the channels of each row of a tile, after adding a residual.
//
//   out = (z − mean(z)) / sqrt(var(z) + eps) · weight + bias,   z = x + residual
#pragma once

#include <cstddef>

namespace m2 {

struct LayerNormTile {
  size_t rows = 0;
  size_t channels = 0;
  size_t stride = 0;  // floats between rows, of all three; a multiple of kChannelBlock
  const float* x = nullptr;
  const float* residual = nullptr;  // or null
  const float* weight = nullptr;    // [channels] filled up to a multiple of kChannelBlock
  const float* bias = nullptr;      // likewise
  float eps = 0;
  float* out = nullptr;  // may be x; channels that fill up the last block become zero
};

void layer_norm(const LayerNormTile& tile);

namespace reference {
void layer_norm(const LayerNormTile& tile, double* out);
}  // namespace reference
}  // namespace m2
