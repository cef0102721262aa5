// The long convolutions of a layer with everything around them, for one channel block of one text.
//
//   out[t] = x2[t]·long(x1·v; filter 1)[t] + long(u; filter 2)[t],   x1, x2, v after the short
//   filter long(x; f)[t] = Σ_{s<=t} k[t−s]·x[s] + Σ_{s>t} k_rev[s−t−1]·x[s] + D·x[t] short(p)[t] =
//   a·p[t−2] + b·p[t−1] + c·p[t] + bias, p = 0 before the text
//
// Both long convolutions ride in one complex transform of N >= 2·length points: x1·v is the real
// part, u the imaginary one. The filters come as spectra (long_conv_spectrum), D folded into k[0].
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/fft_plan.h"

namespace m2 {

struct LongConvBlock {
  const FftPlan* plan = nullptr;
  size_t length = 0;                    // rows; 2·length <= plan->points
  const float* x1 = nullptr;            // [length][16] in_linear's outputs, before the short filter
  const float* x2 = nullptr;            // [length][16]
  const float* v = nullptr;             // [length][16]
  const float* short_filter = nullptr;  // [x1, x2, v][a, b, c, bias][16]
  const float* residual = nullptr;      // [length][16] u, or null: no second convolution
  const float* spectrum = nullptr;      // plan->spectrum_floats(), of both filters; or instead
  const uint16_t* half_spectrum = nullptr;  // as many fp16, each to be multiplied by its scale:
  const float* half_scales = nullptr;       // [filter][16]
  float* out = nullptr;                     // [length][16]; may be x1
  float* work = nullptr;                    // plan->workspace_floats(), 64-byte aligned
};

void long_conv(const LongConvBlock& block);

// The spectra of two real circular kernels of N points each, scaled by 1/(2N) so that long_conv
// multiplies once. A kernel holds k[0] + D, k[1], … from index 0 up and k_rev[0], k_rev[1], … from
// index N−1 down, N/2 of each.
struct LongConvSpectrum {
  const FftPlan* plan = nullptr;
  const float* kernel1 = nullptr;  // [N][16]
  const float* kernel2 = nullptr;  // [N][16], or null: zeros
  float* spectrum = nullptr;       // plan->spectrum_floats()
  float* work = nullptr;           // plan->workspace_floats(), 64-byte aligned
};

void long_conv_spectrum(const LongConvSpectrum& request);

// A pair of spectra to fp16, each channel of each filter over a power of two of its own, so that
// its largest part lies in [2^14, 2^15): rounding to nearest loses at most 2^-11 of a part, and
// 2^-38 of the largest where a part is so small that fp16 runs out of exponents.
struct HalfSpectrumRequest {
  size_t floats = 0;                  // plan->spectrum_floats()
  const float* spectrum = nullptr;    // [floats]
  uint16_t* half_spectrum = nullptr;  // [floats], 64-byte aligned
  float* half_scales = nullptr;       // [filter][16]; NaN where a spectrum is not finite
};

void round_spectrum_to_half(const HalfSpectrumRequest& request);

// Row 0 alone, by direct sums over the taps in the order in which token 0 sees the text:
//
//   out[0] = x2[0]·Σ_s a[s]·(x1·v)[s] + Σ_s b[s]·u[s],  a[0] = k[0] + D,  a[s] = k_rev[s−1]
//
// The order of summation depends on the length alone.
struct LongConvFirst {
  size_t length = 0;
  const float* x1 = nullptr;  // as in LongConvBlock
  const float* x2 = nullptr;  // of which row 0 alone is read
  const float* v = nullptr;
  const float* short_filter = nullptr;
  const float* residual = nullptr;       // or null
  const float* gated_taps = nullptr;     // a, [length][16]
  const float* residual_taps = nullptr;  // b, [length][16], or null with residual
  float* out = nullptr;                  // [16]; may be x1's row 0
};

void long_conv_first(const LongConvFirst& request);

namespace reference {

// The same by direct sums in double, O(length²), from the taps themselves: k1, k1_rev, k2, k2_rev
// are [length][16], d1 and d2 [16]; k2, k2_rev and d2 may be null.
struct LongConvTaps {
  const float* k1;
  const float* k1_rev;
  const float* d1;
  const float* k2;
  const float* k2_rev;
  const float* d2;
};
void long_conv(const LongConvBlock& block, const LongConvTaps& taps, double* out);
void long_conv_first(const LongConvFirst& request, double* out);  // [16]

}  // namespace reference
}  // namespace m2
