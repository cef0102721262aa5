// The short filter down one signal. Included once for each target.
#if defined(M2_KERNELS_CPU_SHORT_FILTER_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef M2_KERNELS_CPU_SHORT_FILTER_INL_H
#undef M2_KERNELS_CPU_SHORT_FILTER_INL_H
#else
#define M2_KERNELS_CPU_SHORT_FILTER_INL_H
#endif

#include "kernels/cpu/fft-inl.h"
#include "kernels/layout.h"

HWY_BEFORE_NAMESPACE();
namespace m2 {
namespace HWY_NAMESPACE {

// Which signal of a layer's short filter: they lie one after the other.
enum class Signal : size_t { kX1, kX2, kV };

// a·p[t−2] + b·p[t−1] + c·p[t] + bias from row to row, the rows before 0 being zero.
class ShortFilter {
 public:
  ShortFilter(const float* rows, const float* filters, Signal signal, size_t lane)
      : rows_(rows + lane) {
    const ChannelTag d;
    const float* filter = filters + static_cast<size_t>(signal) * 4 * kChannelBlock + lane;
    a_ = hn::Load(d, filter);
    b_ = hn::Load(d, filter + kChannelBlock);
    c_ = hn::Load(d, filter + 2 * kChannelBlock);
    bias_ = hn::Load(d, filter + 3 * kChannelBlock);
    before_ = two_before_ = hn::Zero(d);
  }

  // The row that Next() takes next.
  HWY_INLINE void Seek(size_t t) {
    const ChannelTag d;
    next_ = rows_ + t * kChannelBlock;
    before_ = t >= 1 ? hn::Load(d, next_ - kChannelBlock) : hn::Zero(d);
    two_before_ = t >= 2 ? hn::Load(d, next_ - 2 * kChannelBlock) : hn::Zero(d);
  }

  HWY_INLINE ChannelVec Next() {
    const ChannelVec row = hn::Load(ChannelTag(), next_);
    const ChannelVec sum =
        hn::MulAdd(a_, two_before_, hn::MulAdd(b_, before_, hn::MulAdd(c_, row, bias_)));
    next_ += kChannelBlock;
    two_before_ = before_;
    before_ = row;
    return sum;
  }

 private:
  const float* rows_;
  const float* next_ = nullptr;
  ChannelVec a_, b_, c_, bias_, before_, two_before_;
};

}  // namespace HWY_NAMESPACE
}  // namespace m2
HWY_AFTER_NAMESPACE();

#endif
