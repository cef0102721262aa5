// The depthwise convolution of three taps, on rows of channels as training holds them.
//
//   y[t] = w[0]·x[t−2] + w[1]·x[t−1] + w[2]·x[t] + bias,  x = 0 before the text
#pragma once

#include <cstddef>

namespace m2 {

// Channels of one call at most: a row of them is read in one piece, and what is kept of them, taps,
// neighbouring rows and sums, fits the first cache.
inline constexpr size_t kShortConvChannels = 256;

struct ShortConvText {
  size_t rows = 0;
  size_t channels = 0;          // at most kShortConvChannels
  size_t x_stride = 0;          // floats between rows of x and of dx
  size_t y_stride = 0;          // floats between rows of y and of dy
  const float* x = nullptr;     // [rows][channels]
  const float* taps = nullptr;  // [3][channels]: w[0], w[1], w[2]
  const float* bias = nullptr;  // [channels]
  float* y = nullptr;           // [rows][channels]
};

void short_conv(const ShortConvText& text);

struct ShortConvGradient {
  size_t rows = 0;
  size_t channels = 0;
  size_t x_stride = 0;
  size_t y_stride = 0;
  const float* x = nullptr;
  const float* taps = nullptr;
  const float* dy = nullptr;  // [rows][channels]
  float* dx = nullptr;        // [rows][channels]
  float* dtaps = nullptr;     // [3][channels], added to
  float* dbias = nullptr;     // [channels], added to
};

void short_conv_gradient(const ShortConvGradient& text);

namespace reference {
void short_conv(const ShortConvText& text, double* y);  // [rows][channels]
// dx is [rows][channels], dtaps [3][channels], dbias [channels], all set, not added to.
void short_conv_gradient(const ShortConvGradient& text, double* dx, double* dtaps, double* dbias);
}  // namespace reference
}  // namespace m2
