#include "kernels/hyena_filter.h"

#include <cmath>

#include "kernels/layout.h"

namespace m2::reference {

void filter_sine(const SineTile& tile, double* out) {
  for (size_t row = 0; row < tile.rows; ++row) {
    for (size_t c = 0; c < tile.channels; ++c) {
      const size_t at = row * tile.stride + c;
      out[at] = std::sin(static_cast<double>(tile.frequency[c]) * tile.x[at]);
    }
  }
}

void filter_decay(const DecayBlock& block, double* out) {
  for (size_t row = 0; row < block.rows; ++row) {
    for (size_t c = 0; c < kChannelBlock; ++c) {
      const double rate = std::fabs(static_cast<double>(block.delta[c]));
      out[row * kChannelBlock + c] =
          block.taps[row * block.tile_stride + c] * std::exp(-rate * block.time[row]);
    }
  }
}

}  // namespace m2::reference
