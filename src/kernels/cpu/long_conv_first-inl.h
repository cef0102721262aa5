// Row 0 of both long convolutions, by direct sums. Included once for each target.
#if defined(M2_KERNELS_CPU_LONG_CONV_FIRST_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef M2_KERNELS_CPU_LONG_CONV_FIRST_INL_H
#undef M2_KERNELS_CPU_LONG_CONV_FIRST_INL_H
#else
#define M2_KERNELS_CPU_LONG_CONV_FIRST_INL_H
#endif

#include <algorithm>

#include "kernels/cpu/short_filter-inl.h"
#include "kernels/long_conv.h"

HWY_BEFORE_NAMESPACE();
namespace m2 {
namespace HWY_NAMESPACE {

// Both sums over rows; row t goes to partial sum t mod kPartialSums.
struct FirstSums {
  static constexpr size_t kPartialSums = 4;
  ChannelVec gated[kPartialSums], residual[kPartialSums];

  FirstSums() {
    for (size_t i = 0; i < kPartialSums; ++i) gated[i] = residual[i] = hn::Zero(ChannelTag());
  }
  static HWY_INLINE ChannelVec Total(const ChannelVec (&sums)[kPartialSums]) {
    return hn::Add(hn::Add(sums[0], sums[1]), hn::Add(sums[2], sums[3]));
  }
};

HWY_INLINE void AddFirstRow(const LongConvFirst& request, size_t t, size_t lane, ShortFilter& x1,
                            ShortFilter& v, ChannelVec& gated, ChannelVec& residual) {
  const ChannelTag d;
  const size_t at = t * kChannelBlock + lane;
  gated = hn::MulAdd(hn::Load(d, request.gated_taps + at), hn::Mul(x1.Next(), v.Next()), gated);
  if (request.residual == nullptr) return;
  residual = hn::MulAdd(hn::Load(d, request.residual_taps + at), hn::Load(d, request.residual + at),
                        residual);
}

// The sums of a chunk of rows are added up before they join the total: a sum of many small numbers
// into a large one would lose them.
void LongConvFirstRow(const LongConvFirst& request) {
  const ChannelTag d;
  constexpr size_t kChunk = 64 * FirstSums::kPartialSums;
  for (size_t lane = 0; lane < kChannelBlock; lane += hn::Lanes(d)) {
    ShortFilter x1(request.x1, request.short_filter, Signal::kX1, lane);
    ShortFilter x2(request.x2, request.short_filter, Signal::kX2, lane);
    ShortFilter v(request.v, request.short_filter, Signal::kV, lane);
    x1.Seek(0);
    x2.Seek(0);
    v.Seek(0);
    ChannelVec gated = hn::Zero(d), residual = hn::Zero(d);
    for (size_t first = 0; first < request.length; first += kChunk) {
      const size_t end = std::min(first + kChunk, request.length);
      FirstSums sums;
      size_t t = first;
      for (; t + FirstSums::kPartialSums <= end; t += FirstSums::kPartialSums) {
        for (size_t i = 0; i < FirstSums::kPartialSums; ++i) {
          AddFirstRow(request, t + i, lane, x1, v, sums.gated[i], sums.residual[i]);
        }
      }
      for (size_t i = 0; t + i < end; ++i) {
        AddFirstRow(request, t + i, lane, x1, v, sums.gated[i], sums.residual[i]);
      }
      gated = hn::Add(gated, FirstSums::Total(sums.gated));
      residual = hn::Add(residual, FirstSums::Total(sums.residual));
    }
    hn::Store(hn::MulAdd(x2.Next(), gated, residual), d, request.out + lane);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace m2
HWY_AFTER_NAMESPACE();

#endif
