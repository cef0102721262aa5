// The four-step transform around the product with the filters. Three passes over the work area:
// columns (load, gate, transform, twiddle), pairs of rows (transform, multiply, transform back),
// columns again (twiddle, transform back, gate, store). Included once for each target.
#if defined(M2_KERNELS_CPU_LONG_CONV_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef M2_KERNELS_CPU_LONG_CONV_INL_H
#undef M2_KERNELS_CPU_LONG_CONV_INL_H
#else
#define M2_KERNELS_CPU_LONG_CONV_INL_H
#endif

#include <algorithm>

#include "kernels/cpu/fft-inl.h"
#include "kernels/cpu/half_spectrum-inl.h"
#include "kernels/cpu/short_filter-inl.h"
#include "kernels/long_conv.h"

HWY_BEFORE_NAMESPACE();
namespace m2 {
namespace HWY_NAMESPACE {

// Column pass forward. load.Fill writes `live` points of `group` neighbouring columns, the first at
// index `column`, the next `step` further; with Half::kLower points from N/2 on are zero and not
// asked for.
template <Half kHalf, class Load>
HWY_INLINE void ForwardColumns(const FftPlan& plan, float* work, const Load& load) {
  const ChannelTag d;
  const size_t n1 = plan.columns.points, n2 = plan.rows.points, group = plan.column_group;
  const size_t live = kHalf == Half::kLower ? n1 / 2 : n1;
  float* local = work + n1 * plan.row_stride();
  for (size_t column = 0; column < n2; column += group) {
    for (size_t lane = 0; lane < kChannelBlock; lane += hn::Lanes(d)) {
      load.Fill(column, group, n2, live, lane, local);
    }
    ForwardAxis<kHalf>(plan.columns, group, local);
    for (size_t row = 0; row < n1; ++row) {
      for (size_t g = 0; g < group; ++g) {
        const float* twiddle = plan.twiddles.data() + ((column + g) * n1 + row) * 2;
        for (size_t lane = 0; lane < kChannelBlock; lane += hn::Lanes(d)) {
          const ComplexVec z =
              LoadPoint<Direction::kForward>(local + (row * group + g) * kPoint + lane);
          StorePoint<Direction::kForward>(
              Twiddled(z, twiddle), work + row * plan.row_stride() + (column + g) * kPoint + lane);
        }
      }
    }
  }
}

// Column pass back: store.Drain takes the lower half of the points, laid out as Fill's.
template <class Store>
HWY_INLINE void InverseColumns(const FftPlan& plan, float* work, const Store& store) {
  const ChannelTag d;
  const size_t n1 = plan.columns.points, n2 = plan.rows.points, group = plan.column_group;
  float* local = work + n1 * plan.row_stride();
  for (size_t column = 0; column < n2; column += group) {
    for (size_t row = 0; row < n1; ++row) {
      for (size_t g = 0; g < group; ++g) {
        const float* twiddle = plan.twiddles.data() + ((column + g) * n1 + row) * 2;
        for (size_t lane = 0; lane < kChannelBlock; lane += hn::Lanes(d)) {
          const ComplexVec z = LoadPoint<Direction::kInverse>(work + row * plan.row_stride() +
                                                              (column + g) * kPoint + lane);
          StorePoint<Direction::kInverse>(Twiddled(z, twiddle),
                                          local + (row * group + g) * kPoint + lane);
        }
      }
    }
    InverseAxis<Half::kLower>(plan.columns, group, local);
    for (size_t lane = 0; lane < kChannelBlock; lane += hn::Lanes(d)) {
      store.Drain(column, group, n2, n1 / 2, lane, local);
    }
  }
}

// Fills columns with x1·v + i·u.
class GatedInput {
 public:
  explicit GatedInput(const LongConvBlock& block) : block_(block) {}

  HWY_INLINE void Fill(size_t column, size_t group, size_t step, size_t live, size_t lane,
                       float* local) const {
    const ChannelTag d;
    ShortFilter x1(block_.x1, block_.short_filter, Signal::kX1, lane);
    ShortFilter v(block_.v, block_.short_filter, Signal::kV, lane);
    for (size_t row = 0; row < live; ++row) {
      x1.Seek(row * step + column);
      v.Seek(row * step + column);
      for (size_t g = 0; g < group; ++g) {
        const size_t t = row * step + column + g;
        ComplexVec z = {hn::Zero(d), hn::Zero(d)};
        if (t < block_.length) {
          z.re = hn::Mul(x1.Next(), v.Next());
          if (block_.residual != nullptr) {
            z.im = hn::Load(d, block_.residual + t * kChannelBlock + lane);
          }
        }
        StorePoint<Direction::kForward>(z, local + (row * group + g) * kPoint + lane);
      }
    }
  }

 private:
  const LongConvBlock& block_;
};

// Takes columns of both convolutions and writes x2·first + second.
class GatedOutput {
 public:
  explicit GatedOutput(const LongConvBlock& block) : block_(block) {}

  HWY_INLINE void Drain(size_t column, size_t group, size_t step, size_t live, size_t lane,
                        const float* local) const {
    const ChannelTag d;
    ShortFilter x2(block_.x2, block_.short_filter, Signal::kX2, lane);
    for (size_t row = 0; row < live; ++row) {
      x2.Seek(row * step + column);
      for (size_t g = 0; g < group; ++g) {
        const size_t t = row * step + column + g;
        if (t >= block_.length) return;
        const ComplexVec y =
            LoadPoint<Direction::kForward>(local + (row * group + g) * kPoint + lane);
        const ChannelVec first = hn::Mul(y.re, x2.Next());
        hn::Store(block_.residual != nullptr ? hn::Add(first, y.im) : first, d,
                  block_.out + t * kChannelBlock + lane);
      }
    }
  }

 private:
  const LongConvBlock& block_;
};

// Fills columns with two circular kernels.
class KernelInput {
 public:
  explicit KernelInput(const LongConvSpectrum& request) : request_(request) {}

  HWY_INLINE void Fill(size_t column, size_t group, size_t step, size_t live, size_t lane,
                       float* local) const {
    const ChannelTag d;
    for (size_t row = 0; row < live; ++row) {
      for (size_t g = 0; g < group; ++g) {
        const size_t at = (row * step + column + g) * kChannelBlock + lane;
        const ComplexVec z = {
            hn::Load(d, request_.kernel1 + at),
            request_.kernel2 != nullptr ? hn::Load(d, request_.kernel2 + at) : hn::Zero(d)};
        StorePoint<Direction::kForward>(z, local + (row * group + g) * kPoint + lane);
      }
    }
  }

 private:
  const LongConvSpectrum& request_;
};

// Calls body(position, partner) for each pair of mirror frequencies of a pair of rows, once.
template <class Body>
HWY_INLINE void ForEachMirror(const FftPlan& plan, const FftPlan::RowPair& pair, const Body& body) {
  for (size_t position = 0; position < plan.rows.points; ++position) {
    const size_t partner = pair.partner[position];
    if (pair.row == pair.mirror && partner < position) continue;
    body(position, partner);
  }
}

// Multiplies both signals of a pair of rows by their filters. With Z the transform of a + i·b, the
// sums Z[k] ± conj(Z[N−k]) are 2A[k] and 2i·B[k]; the halves are in the spectrum's scale.
template <class Spectrum>
HWY_INLINE void MultiplyRows(const FftPlan& plan, const FftPlan::RowPair& pair,
                             const Spectrum& spectrum, size_t first_point, float* row,
                             float* mirror) {
  const ChannelTag d;
  ForEachMirror(plan, pair, [&](size_t position, size_t partner) HWY_ATTR {
    for (size_t lane = 0; lane < kChannelBlock; lane += hn::Lanes(d)) {
      const ComplexVec z = LoadPoint<Direction::kForward>(row + position * kPoint + lane);
      const ComplexVec m = LoadPoint<Direction::kForward>(mirror + partner * kPoint + lane);
      const ComplexVec first = {hn::Add(z.re, m.re), hn::Sub(z.im, m.im)};
      const ComplexVec second = {hn::Sub(z.re, m.re), hn::Add(z.im, m.im)};
      const ComplexVec p = Times(first, spectrum.Filter(0, first_point + position, lane));
      const ComplexVec q = Times(second, spectrum.Filter(1, first_point + position, lane));
      const ComplexVec difference = p - q;
      StorePoint<Direction::kForward>(p + q, row + position * kPoint + lane);
      StorePoint<Direction::kForward>({difference.re, hn::Neg(difference.im)},
                                      mirror + partner * kPoint + lane);
    }
  });
}

template <class Spectrum>
HWY_INLINE void FilterRows(const FftPlan& plan, const Spectrum& spectrum, float* work) {
  for (size_t i = 0; i < plan.pairs.size(); ++i) {
    const FftPlan::RowPair& pair = plan.pairs[i];
    float* row = work + pair.row * plan.row_stride();
    float* mirror = work + pair.mirror * plan.row_stride();
    ForwardAxis<Half::kBoth>(plan.rows, 1, row);
    if (row != mirror) ForwardAxis<Half::kBoth>(plan.rows, 1, mirror);
    MultiplyRows(plan, pair, spectrum, i * plan.rows.points, row, mirror);
    InverseAxis<Half::kBoth>(plan.rows, 1, row);
    if (row != mirror) InverseAxis<Half::kBoth>(plan.rows, 1, mirror);
  }
}

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
    FilterRows(plan, FloatSpectrum(block), block.work);
  } else {
    FilterRows(plan, HalfSpectrum(block), block.work);
  }
  InverseColumns(plan, block.work, GatedOutput(block));
}

void LongConvSpectra(const LongConvSpectrum& request) {
  const FftPlan& plan = *request.plan;
  ForwardColumns<Half::kBoth>(plan, request.work, KernelInput(request));
  for (size_t i = 0; i < plan.columns.points; ++i) {
    ForwardAxis<Half::kBoth>(plan.rows, 1, request.work + i * plan.row_stride());
  }
  for (size_t i = 0; i < plan.pairs.size(); ++i) {
    const FftPlan::RowPair& pair = plan.pairs[i];
    SeparateRows(plan, pair, request.work + pair.row * plan.row_stride(),
                 request.work + pair.mirror * plan.row_stride(),
                 request.spectrum + i * plan.rows.points * 2 * kPoint);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace m2
HWY_AFTER_NAMESPACE();

#endif
