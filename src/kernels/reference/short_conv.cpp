#include "kernels/short_conv.h"

#include <algorithm>

namespace m2::reference {
namespace {

double at(const float* rows, size_t stride, size_t t, size_t c) {
  return static_cast<double>(rows[t * stride + c]);
}

}  // namespace

void short_conv(const ShortConvText& text, double* y) {
  for (size_t t = 0; t < text.rows; ++t) {
    for (size_t c = 0; c < text.channels; ++c) {
      double sum = static_cast<double>(text.bias[c]);
      for (size_t back = 0; back <= std::min<size_t>(t, 2); ++back) {
        sum += at(text.taps, text.channels, 2 - back, c) * at(text.x, text.x_stride, t - back, c);
      }
      y[t * text.channels + c] = sum;
    }
  }
}

void short_conv_gradient(const ShortConvGradient& text, double* dx, double* dtaps, double* dbias) {
  std::fill_n(dx, text.rows * text.channels, 0.0);
  std::fill_n(dtaps, 3 * text.channels, 0.0);
  std::fill_n(dbias, text.channels, 0.0);
  for (size_t t = 0; t < text.rows; ++t) {
    for (size_t c = 0; c < text.channels; ++c) {
      const double dy = at(text.dy, text.y_stride, t, c);
      dbias[c] += dy;
      for (size_t back = 0; back <= std::min<size_t>(t, 2); ++back) {
        const size_t tap = (2 - back) * text.channels + c;
        dx[(t - back) * text.channels + c] += dy * static_cast<double>(text.taps[tap]);
        dtaps[tap] += dy * at(text.x, text.x_stride, t - back, c);
      }
    }
  }
}

}  // namespace m2::reference
