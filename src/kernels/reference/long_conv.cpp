#include "kernels/long_conv.h"

#include <vector>

#include "kernels/layout.h"

namespace m2::reference {
namespace {

double short_conv(const float* rows, const float* filter, size_t t, size_t channel) {
  double sum = filter[3 * kChannelBlock + channel];
  for (size_t back = 0; back < 3 && back <= t; ++back) {
    sum += static_cast<double>(filter[(2 - back) * kChannelBlock + channel]) *
           rows[(t - back) * kChannelBlock + channel];
  }
  return sum;
}

double convolve_at(const std::vector<double>& signal, const float* k, const float* k_rev, double d,
                   size_t t, size_t channel) {
  double sum = d * signal[t];
  for (size_t s = 0; s < signal.size(); ++s) {
    const float tap = s <= t ? k[(t - s) * kChannelBlock + channel]
                             : k_rev[(s - t - 1) * kChannelBlock + channel];
    sum += static_cast<double>(tap) * signal[s];
  }
  return sum;
}

}  // namespace

void long_conv(const LongConvBlock& block, const LongConvTaps& taps, double* out) {
  const float* filter_x1 = block.short_filter;
  const float* filter_x2 = filter_x1 + 4 * kChannelBlock;
  const float* filter_v = filter_x2 + 4 * kChannelBlock;
  std::vector<double> gated(block.length), residual(block.length);
  for (size_t channel = 0; channel < kChannelBlock; ++channel) {
    for (size_t t = 0; t < block.length; ++t) {
      gated[t] =
          short_conv(block.x1, filter_x1, t, channel) * short_conv(block.v, filter_v, t, channel);
      if (block.residual != nullptr) residual[t] = block.residual[t * kChannelBlock + channel];
    }
    for (size_t t = 0; t < block.length; ++t) {
      double y = convolve_at(gated, taps.k1, taps.k1_rev, taps.d1[channel], t, channel) *
                 short_conv(block.x2, filter_x2, t, channel);
      if (block.residual != nullptr) {
        y += convolve_at(residual, taps.k2, taps.k2_rev, taps.d2[channel], t, channel);
      }
      out[t * kChannelBlock + channel] = y;
    }
  }
}

void long_conv_first(const LongConvFirst& request, double* out) {
  const float* filter_x1 = request.short_filter;
  const float* filter_x2 = filter_x1 + 4 * kChannelBlock;
  const float* filter_v = filter_x2 + 4 * kChannelBlock;
  for (size_t channel = 0; channel < kChannelBlock; ++channel) {
    double gated = 0, residual = 0;
    for (size_t t = 0; t < request.length; ++t) {
      const size_t at = t * kChannelBlock + channel;
      gated += static_cast<double>(request.gated_taps[at]) *
               short_conv(request.x1, filter_x1, t, channel) *
               short_conv(request.v, filter_v, t, channel);
      if (request.residual != nullptr) {
        residual += static_cast<double>(request.residual_taps[at]) *
                    static_cast<double>(request.residual[at]);
      }
    }
    out[channel] = short_conv(request.x2, filter_x2, 0, channel) * gated + residual;
  }
}

}  // namespace m2::reference
