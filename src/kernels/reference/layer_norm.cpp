#include "kernels/layer_norm.h"

#include <cmath>
#include <vector>

namespace m2::reference {

void layer_norm(const LayerNormTile& tile, double* out) {
  std::vector<double> z(tile.channels);
  const double count = static_cast<double>(tile.channels);
  for (size_t row = 0; row < tile.rows; ++row) {
    double mean = 0, variance = 0;
    for (size_t c = 0; c < tile.channels; ++c) {
      z[c] = tile.x[row * tile.stride + c];
      if (tile.residual != nullptr) z[c] += tile.residual[row * tile.stride + c];
      mean += z[c] / count;
    }
    for (size_t c = 0; c < tile.channels; ++c) variance += (z[c] - mean) * (z[c] - mean) / count;
    for (size_t c = 0; c < tile.channels; ++c) {
      out[row * tile.stride + c] =
          (z[c] - mean) / std::sqrt(variance + static_cast<double>(tile.eps)) * tile.weight[c] +
          tile.bias[c];
    }
  }
}

}  // namespace m2::reference
