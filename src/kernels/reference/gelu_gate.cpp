#include "kernels/gelu_gate.h"

#include <cmath>
#include <numbers>

namespace m2::reference {

void gelu_gate(const GeluGateTile& tile, double* out) {
  for (size_t row = 0; row < tile.rows; ++row) {
    const float* h = tile.h + row * tile.in_stride;
    for (size_t i = 0; i < tile.width; ++i) {
      const double x = h[i];
      const double gate =
          tile.gate == nullptr ? 1.0 : static_cast<double>(tile.gate[row * tile.in_stride + i]);
      out[row * tile.out_stride + i] = 0.5 * x * std::erfc(-x / std::numbers::sqrt2) * gate;
    }
  }
}

void gelu_gate_gradient(const GeluGateGradientTile& tile, double* dh, double* dgate) {
  const double inverse_root_of_2pi = std::numbers::inv_sqrtpi / std::numbers::sqrt2;
  for (size_t row = 0; row < tile.rows; ++row) {
    for (size_t i = 0; i < tile.width; ++i) {
      const size_t in = row * tile.in_stride + i, at = row * tile.width + i;
      const double x = tile.h[in], gate = tile.gate[in];
      const double upper = tile.dout[row * tile.out_stride + i];
      const double below = 0.5 * std::erfc(-x / std::numbers::sqrt2);
      const double density = inverse_root_of_2pi * std::exp(-0.5 * x * x);
      dh[at] = upper * gate * (below + x * density);
      dgate[at] = upper * x * below;
    }
  }
}

}  // namespace m2::reference
