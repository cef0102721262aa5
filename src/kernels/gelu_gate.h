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

// The gated form's gradients, with Φ the normal distribution and φ its density:
//   dh[i] = dout[i]·gate[i]·(Φ(h[i]) + h[i]·φ(h[i])),   dgate[i] = dout[i]·h[i]·Φ(h[i])
struct GeluGateGradientTile {
  size_t rows = 0;
  size_t width = 0;
  size_t in_stride = 0;   // floats between rows of h, gate, dh and dgate
  size_t out_stride = 0;  // floats between rows of dout
  const float* h = nullptr;
  const float* gate = nullptr;
  const float* dout = nullptr;
  float* dh = nullptr;  // other buffers than h, gate and dout
  float* dgate = nullptr;
};

void gelu_gate_gradient(const GeluGateGradientTile& tile);

namespace reference {
void gelu_gate(const GeluGateTile& tile, double* out);
void gelu_gate_gradient(const GeluGateGradientTile& tile, double* dh,
                        double* dgate);  // [rows][width]
}  // namespace reference
}  // namespace m2
