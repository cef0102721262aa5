#include "kernels/number_types.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/dtype.h"

namespace m2::reference {

void round_to_bf16(const RoundTile& tile) {
  for (size_t row = 0; row < tile.rows; ++row) {
    for (size_t i = 0; i < tile.width; ++i) {
      tile.out[row * tile.out_stride + i] = float_to_bf16(tile.in[row * tile.in_stride + i]);
    }
  }
}

void quantise_rows(const QuantiseTile& tile) {
  for (size_t row = 0; row < tile.rows; ++row) {
    const float* in = tile.in + row * tile.in_stride;
    float largest = 0;
    for (size_t i = 0; i < tile.width; ++i) largest = std::max(largest, std::fabs(in[i]));
    tile.scales[row] = largest / static_cast<float>(kLargestInteger);
    const float factor = largest > 0 ? static_cast<float>(kLargestInteger) / largest : 0.0f;
    for (size_t i = 0; i < tile.width; ++i) {
      tile.out[row * tile.out_stride + i] =
          static_cast<uint8_t>(std::nearbyint(in[i] * factor) + kUnsignedZero);
    }
  }
}

void dequantise(const DequantiseTile& tile, double* out) {
  for (size_t row = 0; row < tile.rows; ++row) {
    for (size_t i = 0; i < tile.width; ++i) {
      int32_t product = 0;
      std::memcpy(&product, tile.data + row * tile.stride + i, sizeof product);
      const double scale = static_cast<double>(tile.row_scales[row]) * tile.column_scales[i];
      const double bias = tile.bias == nullptr ? 0.0 : static_cast<double>(tile.bias[i]);
      out[row * tile.width + i] = (product - tile.offsets[i]) * scale + bias;
    }
  }
}

}  // namespace m2::reference
