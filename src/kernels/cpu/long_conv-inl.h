// The long convolutions of a layer in the four-step transform: the gates ride in the loads and
// stores of its passes. Included once for each target.
#if defined(M2_KERNELS_CPU_LONG_CONV_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef M2_KERNELS_CPU_LONG_CONV_INL_H
#undef M2_KERNELS_CPU_LONG_CONV_INL_H
#else
#define M2_KERNELS_CPU_LONG_CONV_INL_H
#endif

#include <algorithm>

#include "kernels/cpu/four_step-inl.h"
#include "kernels/cpu/half_spectrum-inl.h"
#include "kernels/cpu/short_filter-inl.h"
#include "kernels/long_conv.h"

HWY_BEFORE_NAMESPACE();
namespace m2 {
namespace HWY_NAMESPACE {

// Fills rows of columns with x1·v + i·u, zero from the text's end on.
class GatedInput {
 public:
  explicit GatedInput(const LongConvBlock& block) : block_(block) {}

  HWY_INLINE void FillRow(size_t first, size_t count, float* points) const {
    const ChannelTag d;
    const size_t live = first < block_.length ? std::min(count, block_.length - first) : 0;
    for (size_t lane = 0; lane < kChannelBlock; lane += hn::Lanes(d)) {
      ShortFilter x1(block_.x1, block_.short_filter, Signal::kX1, lane);
      ShortFilter v(block_.v, block_.short_filter, Signal::kV, lane);
      if (live > 0) {  // behind the text's end there are no rows before `first` to read
        x1.Seek(first);
        v.Seek(first);
      }
      const float* u =
          block_.residual == nullptr ? nullptr : block_.residual + first * kChannelBlock + lane;
      for (size_t i = 0; i < live; ++i) {
        const ChannelVec gated = hn::Mul(x1.Next(), v.Next());
        const ChannelVec residual = u == nullptr ? hn::Zero(d) : hn::Load(d, u + i * kChannelBlock);
        StorePoint<Direction::kForward>({gated, residual}, points + i * kPoint + lane);
      }
      for (size_t i = live; i < count; ++i) {
        StorePoint<Direction::kForward>({hn::Zero(d), hn::Zero(d)}, points + i * kPoint + lane);
      }
    }
  }

 private:
  const LongConvBlock& block_;
};

// Takes rows of columns of both convolutions and writes x2·first + second.
class GatedOutput {
 public:
  explicit GatedOutput(const LongConvBlock& block) : block_(block) {}

  HWY_INLINE void DrainRow(size_t first, size_t count, const float* points) const {
    const ChannelTag d;
    if (first >= block_.length) return;
    const size_t live = std::min(count, block_.length - first);
    for (size_t lane = 0; lane < kChannelBlock; lane += hn::Lanes(d)) {
      ShortFilter x2(block_.x2, block_.short_filter, Signal::kX2, lane);
      x2.Seek(first);
      float* out = block_.out + first * kChannelBlock + lane;
      for (size_t i = 0; i < live; ++i) {
        const ComplexVec y = LoadPoint<Direction::kForward>(points + i * kPoint + lane);
        const ChannelVec gated = hn::Mul(y.re, x2.Next());
        hn::Store(block_.residual == nullptr ? gated : hn::Add(gated, y.im), d,
                  out + i * kChannelBlock);
      }
    }
  }

 private:
  const LongConvBlock& block_;
};

// Fills rows of columns with two circular kernels.
class KernelInput {
 public:
  explicit KernelInput(const LongConvSpectrum& request) : request_(request) {}

  HWY_INLINE void FillRow(size_t first, size_t count, float* points) const {
    const ChannelTag d;
    for (size_t i = 0; i < count; ++i) {
      for (size_t lane = 0; lane < kChannelBlock; lane += hn::Lanes(d)) {
        const size_t at = (first + i) * kChannelBlock + lane;
        const ComplexVec z = {
            hn::Load(d, request_.kernel1 + at),
            request_.kernel2 != nullptr ? hn::Load(d, request_.kernel2 + at) : hn::Zero(d)};
        StorePoint<Direction::kForward>(z, points + i * kPoint + lane);
      }
    }
  }

 private:
  const LongConvSpectrum& request_;
};

// Separates a pair of transformed rows into the spectra of both kernels, with long_conv's scale.
HWY_INLINE void SeparateRows(const FftPlan& plan, const FftPlan::RowPair& pair, const float* row,
                             const float* mirror, float* spectrum) {
  const ChannelTag d;
  const ChannelVec scale = hn::Set(d, 0.25f / static_cast<float>(plan.points));
  for (size_t position = 0; position < plan.rows.points; ++position) {
    const size_t partner = pair.partner[position];
    float* filters = spectrum + position * 2 * kPoint;
    for (size_t lane = 0; lane < kChannelBlock; lane += hn::Lanes(d)) {
      const ComplexVec z = LoadPoint<Direction::kForward>(row + position * kPoint + lane);
      const ComplexVec m = LoadPoint<Direction::kForward>(mirror + partner * kPoint + lane);
      const ComplexVec first = {hn::Add(z.re, m.re), hn::Sub(z.im, m.im)};
      const ComplexVec second = {hn::Add(z.im, m.im), hn::Sub(m.re, z.re)};
      StorePoint<Direction::kForward>({hn::Mul(first.re, scale), hn::Mul(first.im, scale)},
                                      filters + lane);
      StorePoint<Direction::kForward>({hn::Mul(second.re, scale), hn::Mul(second.im, scale)},
                                      filters + kPoint + lane);
    }
  }
}

void LongConv(const LongConvBlock& block) {
  const FftPlan& plan = *block.plan;
  ForwardColumns<Half::kLower>(plan, block.work, GatedInput(block));
  if (block.spectrum != nullptr) {
    FilterRows(plan, FloatSpectrum(block.spectrum), block.work);
  } else {
    FilterRows(plan, HalfSpectrum(block), block.work);
  }
  InverseColumns<Half::kLower>(plan, block.work, GatedOutput(block));
}

void LongConvSpectra(const LongConvSpectrum& request) {
  const FftPlan& plan = *request.plan;
  ForwardColumns<Half::kBoth>(plan, request.work, KernelInput(request));
  for (size_t i = 0; i < plan.pairs.size(); ++i) {
    const FftPlan::RowPair& pair = plan.pairs[i];
    float* row = request.work + pair.row * plan.row_stride();
    float* mirror = request.work + pair.mirror * plan.row_stride();
    ForwardRow(plan.rows, row);
    if (row != mirror) ForwardRow(plan.rows, mirror);
    SeparateRows(plan, pair, row, mirror, request.spectrum + i * plan.rows.points * 2 * kPoint);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace m2
HWY_AFTER_NAMESPACE();

#endif
