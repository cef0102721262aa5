// The MLP's activation on each row of a tile: GELU (the exact, erf form), gated or not.
//
//   gated:   out[i] = GELU(h[i]) · gate[i]
//   plain:   out[i] = GELU(h[i])
#pragma once

#include <cstddef>

namespace m2 {

struct GeluGateTile {
  size_t rows = 0;
  size_t width = 0;       // channels of out
  size_t in_stride = 0;   // floats between rows of h and of gate
  size_t out_stride = 0;  // floats between rows of out
  const float* h = nullptr;
  const float* gate = nullptr;  // or null
  float* out = nullptr;         // another buffer than h and gate
};

void gelu_gate(const GeluGateTile& tile);

namespace reference {
void gelu_gate(const GeluGateTile& tile, double* out);
}  // namespace reference
}  // namespace m2
