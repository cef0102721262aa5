// Two long convolutions that share a transform, for one channel block of one text, and their
// gradients: what training computes, without the short filter and the gates of long_conv.h.
//
//   y1 = long(x1; filter 1),  y2 = long(x2; filter 2),  with long() as in long_conv.h
//
// With capital letters for transforms of N points and F for a filter's spectrum, Y = X·F, so
//   gradient of x = conj(F)·dY,   gradient of the filter's circular kernel = Σ_texts conj(X)·dY.
#pragma once

#include <cstddef>

#include "kernels/fft_plan.h"

namespace m2 {

struct LongConvPair {
  const FftPlan* plan = nullptr;
  size_t length = 0;                // rows; 2·length <= plan->points
  const float* x1 = nullptr;        // [length][16]
  const float* x2 = nullptr;        // [length][16], or null: one convolution
  const float* spectrum = nullptr;  // plan->spectrum_floats(), of long_conv_spectrum
  float* y1 = nullptr;              // [length][16]
  float* y2 = nullptr;              // [length][16], or null with x2
  float* work = nullptr;            // plan->workspace_floats(), 64-byte aligned
};

void long_conv_pair(const LongConvPair& block);

struct LongConvPairGradient {
  const FftPlan* plan = nullptr;
  size_t length = 0;
  const float* x1 = nullptr;   // as in LongConvPair
  const float* x2 = nullptr;   // or null, and then dy2 and dx2 too
  const float* dy1 = nullptr;  // [length][16], the gradients of y1 and y2
  const float* dy2 = nullptr;
  const float* spectrum = nullptr;
  float* dx1 = nullptr;                // [length][16]; may be dy1
  float* dx2 = nullptr;                // [length][16]; may be dy2
  float* spectrum_gradient = nullptr;  // plan->spectrum_floats(), added to
  float* work = nullptr;               // 2·plan->workspace_floats(), 64-byte aligned
};

void long_conv_pair_gradient(const LongConvPairGradient& block);

// The gradients of both circular kernels (long_conv.h, LongConvSpectrum) from what
// long_conv_pair_gradient summed up.
struct LongConvKernelGradient {
  const FftPlan* plan = nullptr;
  const float* spectrum_gradient = nullptr;  // plan->spectrum_floats()
  float* kernel1 = nullptr;                  // [N][16]
  float* kernel2 = nullptr;                  // [N][16], or null
  float* work = nullptr;                     // plan->workspace_floats(), 64-byte aligned
};

void long_conv_kernel_gradient(const LongConvKernelGradient& request);

}  // namespace m2
