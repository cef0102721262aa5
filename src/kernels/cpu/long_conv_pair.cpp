#include "kernels/long_conv_pair.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/long_conv_pair.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "core/error.h"
#include "kernels/cpu/long_conv_pair-inl.h"
#include "kernels/isa.h"

#if HWY_ONCE
namespace m2 {
namespace {

HWY_EXPORT(LongConvPairForward);
HWY_EXPORT(LongConvPairBackward);
HWY_EXPORT(LongConvKernelBackward);

}  // namespace

void long_conv_pair(const LongConvPair& block) {
  M2_CHECK(2 * block.length <= block.plan->points);
  current_isa();
  HWY_DYNAMIC_DISPATCH(LongConvPairForward)(block);
}

void long_conv_pair_gradient(const LongConvPairGradient& block) {
  M2_CHECK(2 * block.length <= block.plan->points);
  current_isa();
  HWY_DYNAMIC_DISPATCH(LongConvPairBackward)(block);
}

void long_conv_kernel_gradient(const LongConvKernelGradient& request) {
  current_isa();
  HWY_DYNAMIC_DISPATCH(LongConvKernelBackward)(request);
}

}  // namespace m2
#endif
