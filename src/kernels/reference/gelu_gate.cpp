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

}  // namespace m2::reference
