// The stages of a small transform for kChannelBlock channels side by side. A point is [re][im] of
// 16 floats each; `columns` points that belong to different transforms lie next to each other.
// Included once for each target.
#if defined(M2_KERNELS_CPU_FFT_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef M2_KERNELS_CPU_FFT_INL_H
#undef M2_KERNELS_CPU_FFT_INL_H
#else
#define M2_KERNELS_CPU_FFT_INL_H
#endif

#include <hwy/highway.h>

#include "kernels/fft_plan.h"
#include "kernels/layout.h"

HWY_BEFORE_NAMESPACE();
namespace m2 {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using ChannelTag = hn::CappedTag<float, kChannelBlock>;
using ChannelVec = hn::Vec<ChannelTag>;
constexpr size_t kPoint = 2 * kChannelBlock;  // floats of one complex point

// The forward transform, or the inverse times the number of points. Exchanging the parts of the
// input and of the output of a forward transform gives the inverse one, so both share butterflies.
enum class Direction { kForward, kInverse };

struct ComplexVec {
  ChannelVec re, im;
};

template <Direction kDirection>
HWY_INLINE ComplexVec LoadPoint(const float* point) {
  const ChannelTag d;
  constexpr size_t kRe = kDirection == Direction::kForward ? 0 : kChannelBlock;
  return {hn::Load(d, point + kRe), hn::Load(d, point + kChannelBlock - kRe)};
}

template <Direction kDirection>
HWY_INLINE void StorePoint(ComplexVec z, float* point) {
  const ChannelTag d;
  constexpr size_t kRe = kDirection == Direction::kForward ? 0 : kChannelBlock;
  hn::Store(z.re, d, point + kRe);
  hn::Store(z.im, d, point + kChannelBlock - kRe);
}

HWY_INLINE ComplexVec operator+(ComplexVec a, ComplexVec b) {
  return {hn::Add(a.re, b.re), hn::Add(a.im, b.im)};
}
HWY_INLINE ComplexVec operator-(ComplexVec a, ComplexVec b) {
  return {hn::Sub(a.re, b.re), hn::Sub(a.im, b.im)};
}
HWY_INLINE ComplexVec Times(ComplexVec a, ComplexVec b) {
  return {hn::NegMulAdd(a.im, b.im, hn::Mul(a.re, b.re)),
          hn::MulAdd(a.im, b.re, hn::Mul(a.re, b.im))};
}
HWY_INLINE ComplexVec Scaled(ComplexVec a, float factor) {
  const ChannelVec v = hn::Set(ChannelTag(), factor);
  return {hn::Mul(a.re, v), hn::Mul(a.im, v)};
}
// a + factor·b
HWY_INLINE ComplexVec AddScaled(ComplexVec a, float factor, ComplexVec b) {
  const ChannelVec v = hn::Set(ChannelTag(), factor);
  return {hn::MulAdd(v, b.re, a.re), hn::MulAdd(v, b.im, a.im)};
}
// −i·a
HWY_INLINE ComplexVec TimesMinusI(ComplexVec a) {
  return {a.im, hn::Neg(a.re)};
}
// a·(twiddle[0] + i·twiddle[1])
HWY_INLINE ComplexVec Twiddled(ComplexVec a, const float* twiddle) {
  const ChannelTag d;
  return Times(a, {hn::Set(d, twiddle[0]), hn::Set(d, twiddle[1])});
}

// A discrete Fourier transform of kRadix points, in place.
template <size_t kRadix>
HWY_INLINE void Butterfly(ComplexVec (&z)[kRadix]) {
  if constexpr (kRadix == 2) {
    const ComplexVec difference = z[0] - z[1];
    z[0] = z[0] + z[1];
    z[1] = difference;
  } else if constexpr (kRadix == 3) {
    constexpr float kSin = 0.866025403784438647f;  // sin(2π/3)
    const ComplexVec sum = z[1] + z[2];
    const ComplexVec turn = Scaled(TimesMinusI(z[1] - z[2]), kSin);
    const ComplexVec middle = AddScaled(z[0], -0.5f, sum);
    z[0] = z[0] + sum;
    z[1] = middle + turn;
    z[2] = middle - turn;
  } else if constexpr (kRadix == 4) {
    const ComplexVec even_sum = z[0] + z[2], even_difference = z[0] - z[2];
    const ComplexVec odd_sum = z[1] + z[3], odd_turn = TimesMinusI(z[1] - z[3]);
    z[0] = even_sum + odd_sum;
    z[1] = even_difference + odd_turn;
    z[2] = even_sum - odd_sum;
    z[3] = even_difference - odd_turn;
  } else {
    static_assert(kRadix == 5);
    constexpr float kCos1 = 0.309016994374947424f, kCos2 = -0.809016994374947424f;  // cos(2πq/5)
    constexpr float kSin1 = 0.951056516295153572f, kSin2 = 0.587785252292473129f;   // sin(2πq/5)
    const ComplexVec sum1 = z[1] + z[4], sum2 = z[2] + z[3];
    const ComplexVec turn1 = TimesMinusI(z[1] - z[4]), turn2 = TimesMinusI(z[2] - z[3]);
    const ComplexVec middle1 = AddScaled(AddScaled(z[0], kCos1, sum1), kCos2, sum2);
    const ComplexVec middle2 = AddScaled(AddScaled(z[0], kCos2, sum1), kCos1, sum2);
    const ComplexVec side1 = AddScaled(Scaled(turn1, kSin1), kSin2, turn2);
    const ComplexVec side2 = AddScaled(Scaled(turn1, kSin2), -kSin1, turn2);
    z[0] = z[0] + sum1 + sum2;
    z[1] = middle1 + side1;
    z[2] = middle2 + side2;
    z[3] = middle2 - side2;
    z[4] = middle1 - side1;
  }
}

// Which inputs of a forward transform are known to be zero, which outputs of an inverse one are
// unread: none, or the upper half of the axis.
enum class Half { kBoth, kLower };

// The butterfly of points whose upper half is zero and not looked at.
template <size_t kRadix>
HWY_INLINE void ButterflyOfLower(ComplexVec (&z)[kRadix]) {
  if constexpr (kRadix == 2) {
    z[1] = z[0];
  } else {
    static_assert(kRadix == 4);
    const ComplexVec first = z[0], second = z[1], turn = TimesMinusI(z[1]);
    z[0] = first + second;
    z[1] = first + turn;
    z[2] = first - second;
    z[3] = first - turn;
  }
}

// One butterfly of a stage at one vector of channels, its inputs `step` floats apart. Forward:
// butterfly, then twiddles (decimation in frequency). Inverse: the mirror image. kTwiddled is false
// where all twiddles are 1.
template <size_t kRadix, Direction kDirection, Half kHalf, bool kTwiddled>
HWY_INLINE void StageButterfly(float* points, size_t step, const float* twiddles) {
  constexpr bool kForward = kDirection == Direction::kForward;
  constexpr size_t kLive = kHalf == Half::kLower ? kRadix / 2 : kRadix;
  ComplexVec z[kRadix];
  for (size_t q = 0; q < (kForward ? kLive : kRadix); ++q) {
    z[q] = LoadPoint<kDirection>(points + q * step);
  }
  if constexpr (kTwiddled && !kForward) {
    for (size_t q = 1; q < kRadix; ++q) z[q] = Twiddled(z[q], twiddles + 2 * (q - 1));
  }
  if constexpr (kForward && kHalf == Half::kLower) {
    ButterflyOfLower(z);
  } else {
    Butterfly(z);
  }
  if constexpr (kTwiddled && kForward) {
    for (size_t q = 1; q < kRadix; ++q) z[q] = Twiddled(z[q], twiddles + 2 * (q - 1));
  }
  for (size_t q = 0; q < (kForward ? kRadix : kLive); ++q) {
    StorePoint<kDirection>(z[q], points + q * step);
  }
}

// The butterflies at offset j of one block of a stage, for `columns` neighbouring transforms.
template <size_t kRadix, Direction kDirection, Half kHalf = Half::kBoth>
HWY_INLINE void StageColumns(const FftAxis::Stage& stage, size_t j, size_t columns, float* block) {
  const size_t step = stage.stride * columns * kPoint;
  const float* twiddles = stage.twiddles + j * (kRadix - 1) * 2;
  for (size_t c = 0; c < columns; ++c) {
    for (size_t lane = 0; lane < kChannelBlock; lane += hn::Lanes(ChannelTag())) {
      float* points = block + (j * columns + c) * kPoint + lane;
      if (j == 0) {
        StageButterfly<kRadix, kDirection, kHalf, false>(points, step, twiddles);
      } else {
        StageButterfly<kRadix, kDirection, kHalf, true>(points, step, twiddles);
      }
    }
  }
}

// `blocks` blocks of one stage.
template <size_t kRadix, Direction kDirection>
HWY_NOINLINE void RunStage(const FftAxis::Stage& stage, size_t blocks, size_t columns,
                           float* data) {
  for (size_t b = 0; b < blocks; ++b) {
    float* block = data + b * kRadix * stage.stride * columns * kPoint;
    for (size_t j = 0; j < stage.stride; ++j) {
      StageColumns<kRadix, kDirection>(stage, j, columns, block);
    }
  }
}

template <Direction kDirection>
HWY_INLINE void RunStage(const FftAxis::Stage& stage, size_t blocks, size_t columns, float* data) {
  if (stage.radix == 4) return RunStage<4, kDirection>(stage, blocks, columns, data);
  if (stage.radix == 2) return RunStage<2, kDirection>(stage, blocks, columns, data);
  if (stage.radix == 3) return RunStage<3, kDirection>(stage, blocks, columns, data);
  RunStage<5, kDirection>(stage, blocks, columns, data);
}

// The stages between the first and the last, on piece number `piece` of those that the first stage
// cuts the axis into: a piece stays in the first cache from stage to stage.
HWY_INLINE void ForwardMiddle(const FftAxis& axis, size_t piece, size_t columns, float* data) {
  const size_t pieces = static_cast<size_t>(axis.stages.front().radix);
  float* start = data + piece * axis.stages.front().stride * columns * kPoint;
  for (size_t i = 1; i + 1 < axis.stages.size(); ++i) {
    RunStage<Direction::kForward>(axis.stages[i], axis.stages[i].blocks / pieces, columns, start);
  }
}

HWY_INLINE void InverseMiddle(const FftAxis& axis, size_t piece, size_t columns, float* data) {
  const size_t pieces = static_cast<size_t>(axis.stages.front().radix);
  float* start = data + piece * axis.stages.front().stride * columns * kPoint;
  for (size_t i = axis.stages.size() - 2; i >= 1; --i) {
    RunStage<Direction::kInverse>(axis.stages[i], axis.stages[i].blocks / pieces, columns, start);
  }
}

// A row's transform: natural order to digit-reversed positions.
HWY_INLINE void ForwardRow(const FftAxis& axis, float* row) {
  const FftAxis::Stage &first = axis.stages.front(), &last = axis.stages.back();
  RunStage<Direction::kForward>(first, 1, 1, row);
  if (axis.stages.size() == 1) return;
  const size_t pieces = static_cast<size_t>(first.radix);
  for (size_t piece = 0; piece < pieces; ++piece) {
    ForwardMiddle(axis, piece, 1, row);
    RunStage<Direction::kForward>(last, last.blocks / pieces, 1,
                                  row + piece * first.stride * kPoint);
  }
}

// Digit-reversed positions to natural order, times the number of points.
HWY_INLINE void InverseRow(const FftAxis& axis, float* row) {
  for (size_t i = axis.stages.size(); i > 0; --i) {
    RunStage<Direction::kInverse>(axis.stages[i - 1], axis.stages[i - 1].blocks, 1, row);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace m2
HWY_AFTER_NAMESPACE();

#endif
