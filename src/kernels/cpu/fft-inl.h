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

// Which inputs of a forward stage are known to be zero, which outputs of an inverse one are unread:
// none, or the upper half of the axis.
enum class Half { kBoth, kLower };

// One stage for the `columns` transforms at `data`. Forward: butterfly, then twiddles (decimation
// in frequency). Inverse: the mirror image of the same stage.
template <size_t kRadix, Direction kDirection, Half kHalf>
HWY_INLINE void RunStage(const FftAxis::Stage& stage, size_t columns, float* data) {
  const ChannelTag d;
  constexpr size_t kLive = kHalf == Half::kLower ? kRadix / 2 : kRadix;
  const size_t step = stage.stride * columns * kPoint;
  for (size_t b = 0; b < stage.blocks; ++b) {
    float* block = data + b * kRadix * step;
    for (size_t j = 0; j < stage.stride; ++j) {
      const float* twiddles = stage.twiddles + j * (kRadix - 1) * 2;
      for (size_t c = 0; c < columns * kPoint; c += kPoint) {
        float* points = block + j * columns * kPoint + c;
        for (size_t lane = 0; lane < kChannelBlock; lane += hn::Lanes(d)) {
          ComplexVec z[kRadix];
          if constexpr (kDirection == Direction::kForward) {
            for (size_t q = 0; q < kLive; ++q) {
              z[q] = LoadPoint<kDirection>(points + q * step + lane);
            }
            for (size_t q = kLive; q < kRadix; ++q) z[q] = {hn::Zero(d), hn::Zero(d)};
            Butterfly(z);
            for (size_t q = 1; q < kRadix; ++q) z[q] = Twiddled(z[q], twiddles + 2 * (q - 1));
            for (size_t q = 0; q < kRadix; ++q) {
              StorePoint<kDirection>(z[q], points + q * step + lane);
            }
          } else {
            for (size_t q = 0; q < kRadix; ++q) {
              z[q] = LoadPoint<kDirection>(points + q * step + lane);
            }
            for (size_t q = 1; q < kRadix; ++q) z[q] = Twiddled(z[q], twiddles + 2 * (q - 1));
            Butterfly(z);
            for (size_t q = 0; q < kLive; ++q) {
              StorePoint<kDirection>(z[q], points + q * step + lane);
            }
          }
        }
      }
    }
  }
}

template <Direction kDirection, Half kHalf = Half::kBoth>
HWY_INLINE void RunStageOfRadix(const FftAxis::Stage& stage, size_t columns, float* data) {
  if (stage.radix == 4) return RunStage<4, kDirection, kHalf>(stage, columns, data);
  if (stage.radix == 2) return RunStage<2, kDirection, kHalf>(stage, columns, data);
  if constexpr (kHalf == Half::kBoth) {
    if (stage.radix == 3) return RunStage<3, kDirection, kHalf>(stage, columns, data);
    RunStage<5, kDirection, kHalf>(stage, columns, data);
  }
}

// Natural order to digit-reversed positions. With Half::kLower the upper half of the points is
// taken as zero and never read; the axis then starts with radix 2 or 4.
template <Half kHalf>
void ForwardAxis(const FftAxis& axis, size_t columns, float* data) {
  if (axis.stages.empty()) return;
  RunStageOfRadix<Direction::kForward, kHalf>(axis.stages.front(), columns, data);
  for (size_t i = 1; i < axis.stages.size(); ++i) {
    RunStageOfRadix<Direction::kForward>(axis.stages[i], columns, data);
  }
}

// Digit-reversed positions to natural order, times the number of points. With Half::kLower the
// upper half of the result is not written.
template <Half kHalf>
void InverseAxis(const FftAxis& axis, size_t columns, float* data) {
  if (axis.stages.empty()) return;
  for (size_t i = axis.stages.size() - 1; i > 0; --i) {
    RunStageOfRadix<Direction::kInverse>(axis.stages[i], columns, data);
  }
  RunStageOfRadix<Direction::kInverse, kHalf>(axis.stages.front(), columns, data);
}

}  // namespace HWY_NAMESPACE
}  // namespace m2
HWY_AFTER_NAMESPACE();

#endif
