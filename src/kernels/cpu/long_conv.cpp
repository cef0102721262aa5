#include "kernels/long_conv.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/long_conv.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "core/error.h"
#include "kernels/cpu/long_conv-inl.h"
#include "kernels/cpu/long_conv_first-inl.h"
#include "kernels/isa.h"

#if HWY_ONCE
namespace m2 {
namespace {

HWY_EXPORT(LongConv);
HWY_EXPORT(LongConvSpectra);
HWY_EXPORT(LongConvFirstRow);
HWY_EXPORT(RoundSpectrumToHalf);

}  // namespace

void long_conv(const LongConvBlock& block) {
  M2_CHECK(2 * block.length <= block.plan->points);
  current_isa();
  HWY_DYNAMIC_DISPATCH(LongConv)(block);
}

void long_conv_spectrum(const LongConvSpectrum& request) {
  current_isa();
  HWY_DYNAMIC_DISPATCH(LongConvSpectra)(request);
}

void long_conv_first(const LongConvFirst& request) {
  M2_CHECK(request.length > 0);
  current_isa();
  HWY_DYNAMIC_DISPATCH(LongConvFirstRow)(request);
}

void round_spectrum_to_half(const HalfSpectrumRequest& request) {
  current_isa();
  HWY_DYNAMIC_DISPATCH(RoundSpectrumToHalf)(request);
}

}  // namespace m2
#endif
