// Spectra as the product with them reads them, in fp32 or in scaled fp16. Included once for each
// target.
#if defined(M2_KERNELS_CPU_HALF_SPECTRUM_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef M2_KERNELS_CPU_HALF_SPECTRUM_INL_H
#undef M2_KERNELS_CPU_HALF_SPECTRUM_INL_H
#else
#define M2_KERNELS_CPU_HALF_SPECTRUM_INL_H
#endif

#include "kernels/cpu/four_step-inl.h"
#include "kernels/long_conv.h"

HWY_BEFORE_NAMESPACE();
namespace m2 {
namespace HWY_NAMESPACE {

using HalfTag = hn::Rebind<hwy::float16_t, ChannelTag>;

class HalfSpectrum {
 public:
  explicit HalfSpectrum(const LongConvBlock& block)
      : values_(reinterpret_cast<const hwy::float16_t*>(block.half_spectrum)),
        scales_(block.half_scales) {}

  HWY_INLINE ComplexVec Filter(size_t filter, size_t point, size_t lane) const {
    const ChannelTag d;
    const HalfTag half;
    const hwy::float16_t* re = values_ + point * kPairPoint + filter * kPoint + lane;
    const ChannelVec scale = hn::Load(d, scales_ + filter * kChannelBlock + lane);
    return {hn::Mul(hn::PromoteTo(d, hn::Load(half, re)), scale),
            hn::Mul(hn::PromoteTo(d, hn::Load(half, re + kChannelBlock)), scale)};
  }

 private:
  const hwy::float16_t* values_;
  const float* scales_;
};

// To fp16's 11 significant bits, ties to even: not every target's DemoteTo rounds.
HWY_INLINE ChannelVec RoundToHalf(ChannelVec x) {
  const hn::RebindToUnsigned<ChannelTag> du;
  const auto bits = hn::BitCast(du, x);
  const auto odd = hn::And(hn::ShiftRight<13>(bits), hn::Set(du, 1));
  const auto rounded = hn::Add(bits, hn::Add(odd, hn::Set(du, 0xFFF)));
  return hn::BitCast(ChannelTag(), hn::And(rounded, hn::Set(du, 0xFFFFE000u)));
}

// The power of two that brings a channel's largest part below 2^15; NaN where a part is no finite
// number.
HWY_INLINE ChannelVec HalfScale(const HalfSpectrumRequest& request, size_t filter, size_t lane) {
  const ChannelTag d;
  const hn::RebindToUnsigned<ChannelTag> du;
  ChannelVec largest = hn::Set(d, 0x1p-100f), nothing = hn::Zero(d);
  for (size_t at = filter * kPoint + lane; at < request.floats; at += kPairPoint) {
    for (const size_t part : {at, at + kChannelBlock}) {
      const ChannelVec x = hn::Load(d, request.spectrum + part);
      largest = hn::Max(hn::Abs(x), largest);
      nothing = hn::MulAdd(x, hn::Zero(d), nothing);
    }
  }
  const auto power = hn::And(hn::BitCast(du, largest), hn::Set(du, 0x7F800000u));
  return hn::MulAdd(hn::BitCast(d, power), hn::Set(d, 0x1p-14f), nothing);
}

void RoundSpectrumToHalf(const HalfSpectrumRequest& request) {
  const ChannelTag d;
  const HalfTag half;
  auto* out = reinterpret_cast<hwy::float16_t*>(request.half_spectrum);
  for (size_t filter = 0; filter < 2; ++filter) {
    for (size_t lane = 0; lane < kChannelBlock; lane += hn::Lanes(d)) {
      const ChannelVec scale = HalfScale(request, filter, lane);
      const ChannelVec inverse = hn::Div(hn::Set(d, 1.0f), scale);
      hn::Store(scale, d, request.half_scales + filter * kChannelBlock + lane);
      for (size_t at = filter * kPoint + lane; at < request.floats; at += kPairPoint) {
        for (const size_t part : {at, at + kChannelBlock}) {
          const ChannelVec x = hn::Mul(hn::Load(d, request.spectrum + part), inverse);
          hn::Store(hn::DemoteTo(half, RoundToHalf(x)), half, out + part);
        }
      }
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace m2
HWY_AFTER_NAMESPACE();

#endif
