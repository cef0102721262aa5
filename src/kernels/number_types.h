// Row tiles between fp32 and the number types that products read.
//
//   bf16:  rounded to nearest, ties to even
//   int8:  u[r][i] = round(x[r][i] / scale[r]) + 128,  scale[r] = max|x[r]| / 127; a row of zeros
//          has scale 0. Products are of u with signed weights w[n] of their own scales:
//          Σ u·w = Σ (x/scale)·w + 128·Σ w, so y = (product − offset[n])·scale[r]·scale[n] + bias
#pragma once

#include <cstddef>
#include <cstdint>

namespace m2 {

inline constexpr int kUnsignedZero = 128;  // what an int8 activation of 0 is stored as
inline constexpr int kLargestInteger = 127;

struct RoundTile {
  size_t rows = 0, width = 0;
  size_t in_stride = 0, out_stride = 0;  // elements between rows
  const float* in = nullptr;
  uint16_t* out = nullptr;  // bf16
};
void round_to_bf16(const RoundTile& tile);

struct QuantiseTile {
  size_t rows = 0, width = 0;
  size_t in_stride = 0, out_stride = 0;
  const float* in = nullptr;
  uint8_t* out = nullptr;
  float* scales = nullptr;  // [rows]
};
void quantise_rows(const QuantiseTile& tile);

// Products in place: the bits of an int32 become those of a float.
struct DequantiseTile {
  size_t rows = 0, width = 0, stride = 0;
  const float* row_scales = nullptr;     // [rows]
  const float* column_scales = nullptr;  // [width]
  const int32_t* offsets = nullptr;      // [width] kUnsignedZero·Σ w
  const float* bias = nullptr;           // [width], or null
  float* data = nullptr;
};
void dequantise(const DequantiseTile& tile);

// The int8 weights of one output: q[i] = round(w[i] / scale), where scale is at least max|w| / 127
// and has so few bits that q·scale is exact in fp32: what was quantised once comes out the same
// when it is quantised again. A row of zeros has scale 0.
float quantise_weights(const float* weights, size_t count, int8_t* out);

namespace reference {
void round_to_bf16(const RoundTile& tile);
void quantise_rows(const QuantiseTile& tile);
void dequantise(const DequantiseTile& tile, double* out);  // [rows][width]
}  // namespace reference
}  // namespace m2
