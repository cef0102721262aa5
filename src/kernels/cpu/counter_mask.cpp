#include "kernels/counter_mask.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/counter_mask.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/isa.h"
#include "kernels/layout.h"

HWY_BEFORE_NAMESPACE();
namespace m2 {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
namespace {

using BitsTag = hn::CappedTag<uint32_t, kChannelBlock>;
using Bits = hn::Vec<BitsTag>;

HWY_INLINE Bits Finalised(Bits x) {
  const BitsTag d;
  x = hn::Mul(hn::Xor(x, hn::ShiftRight<16>(x)), hn::Set(d, 0x85EBCA6Bu));
  x = hn::Mul(hn::Xor(x, hn::ShiftRight<13>(x)), hn::Set(d, 0xC2B2AE35u));
  return hn::Xor(x, hn::ShiftRight<16>(x));
}

}  // namespace

void CounterMaskRows(const CounterMask& request) {
  const BitsTag d;
  const hn::Rebind<float, BitsTag> df;
  const size_t lanes = hn::Lanes(d);
  const Bits threshold = hn::Set(d, request.threshold());
  const auto kept = hn::Set(df, request.kept());
  for (size_t row = 0; row < request.rows; ++row) {
    const uint64_t bits = request.row_bits(row);
    const Bits low = hn::Set(d, static_cast<uint32_t>(bits));
    const Bits high = hn::Set(d, static_cast<uint32_t>(bits >> 32));
    float* out = request.out + row * request.width;
    for (size_t i = 0; i < request.width; i += lanes) {
      const Bits index = hn::Iota(d, static_cast<uint32_t>(i));
      const Bits hash = Finalised(hn::Xor(Finalised(hn::Xor(index, low)), high));
      const auto value =
          hn::IfThenElseZero(hn::RebindMask(df, hn::Eq(hn::Max(hash, threshold), hash)), kept);
      if (i + lanes <= request.width) {
        hn::StoreU(value, df, out + i);
      } else {
        HWY_ALIGN float last[kChannelBlock];
        hn::Store(value, df, last);
        std::copy_n(last, request.width - i, out + i);
      }
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace m2
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace m2 {
namespace {
HWY_EXPORT(CounterMaskRows);
}  // namespace

void counter_mask(const CounterMask& request) {
  current_isa();
  HWY_DYNAMIC_DISPATCH(CounterMaskRows)(request);
}

}  // namespace m2
#endif
