// The transforms of long_conv_pair.h: the passes of four_step-inl.h around other loads, products
// and stores. Included once for each target.
#if defined(M2_KERNELS_CPU_LONG_CONV_PAIR_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef M2_KERNELS_CPU_LONG_CONV_PAIR_INL_H
#undef M2_KERNELS_CPU_LONG_CONV_PAIR_INL_H
#else
#define M2_KERNELS_CPU_LONG_CONV_PAIR_INL_H
#endif

#include <algorithm>

#include "kernels/cpu/four_step-inl.h"
#include "kernels/long_conv_pair.h"

HWY_BEFORE_NAMESPACE();
namespace m2 {
namespace HWY_NAMESPACE {

// Fills rows of columns with first + i·second, zero from the text's end on.
class PairInput {
 public:
  PairInput(const float* first, const float* second, size_t length)
      : first_(first), second_(second), length_(length) {}

  HWY_INLINE void FillRow(size_t start, size_t count, float* points) const {
    const ChannelTag d;
    const size_t live = start < length_ ? std::min(count, length_ - start) : 0;
    for (size_t lane = 0; lane < kChannelBlock; lane += hn::Lanes(d)) {
      for (size_t i = 0; i < count; ++i) {
        const size_t at = (start + i) * kChannelBlock + lane;
        ComplexVec z = {hn::Zero(d), hn::Zero(d)};
        if (i < live) z.re = hn::Load(d, first_ + at);
        if (i < live && second_ != nullptr) z.im = hn::Load(d, second_ + at);
        StorePoint<Direction::kForward>(z, points + i * kPoint + lane);
      }
    }
  }

 private:
  const float* first_;
  const float* second_;
  size_t length_;
};

// Takes rows of columns apart into both signals, each times `scale`.
class PairOutput {
 public:
  PairOutput(float* first, float* second, size_t length, float scale = 1)
      : first_(first), second_(second), length_(length), scale_(scale) {}

  HWY_INLINE void DrainRow(size_t start, size_t count, const float* points) const {
    const ChannelTag d;
    const ChannelVec scale = hn::Set(d, scale_);
    const size_t live = start < length_ ? std::min(count, length_ - start) : 0;
    for (size_t lane = 0; lane < kChannelBlock; lane += hn::Lanes(d)) {
      for (size_t i = 0; i < live; ++i) {
        const size_t at = (start + i) * kChannelBlock + lane;
        const ComplexVec z = LoadPoint<Direction::kForward>(points + i * kPoint + lane);
        hn::Store(hn::Mul(z.re, scale), d, first_ + at);
        if (second_ != nullptr) hn::Store(hn::Mul(z.im, scale), d, second_ + at);
      }
    }
  }

 private:
  float* first_;
  float* second_;
  size_t length_;
  float scale_;
};

HWY_INLINE ComplexVec TimesConjugate(ComplexVec a, ComplexVec b) {
  return {hn::MulAdd(a.im, b.im, hn::Mul(a.re, b.re)),
          hn::NegMulAdd(a.re, b.im, hn::Mul(a.im, b.re))};
}

// Adds a·conj(b) to a point of a spectrum.
HWY_INLINE void AddTimesConjugate(ComplexVec a, ComplexVec b, float* sum) {
  StorePoint<Direction::kForward>(LoadPoint<Direction::kForward>(sum) + TimesConjugate(a, b), sum);
}

// One pair of mirror frequencies of the gradient: z and m of the inputs' transform, dz and dm of
// the outputs' gradient, which become those of the inputs' gradient. MultiplyMirrors has the
// scales; the sums are four times conj(X)·dY.
HWY_INLINE void GradientOfMirrors(const FloatSpectrum& spectrum, size_t point, size_t lane,
                                  ComplexVec z, ComplexVec m, ComplexVec& dz, ComplexVec& dm,
                                  float* sums) {
  const ComplexVec x1 = {hn::Add(z.re, m.re), hn::Sub(z.im, m.im)};
  const ComplexVec x2 = {hn::Sub(z.re, m.re), hn::Add(z.im, m.im)};
  const ComplexVec dy1 = {hn::Add(dz.re, dm.re), hn::Sub(dz.im, dm.im)};
  const ComplexVec dy2 = {hn::Sub(dz.re, dm.re), hn::Add(dz.im, dm.im)};
  float* sum = sums + point * kPairPoint + lane;
  AddTimesConjugate(dy1, x1, sum);
  AddTimesConjugate(dy2, x2, sum + kPoint);
  const ComplexVec p = TimesConjugate(dy1, spectrum.Filter(0, point, lane));
  const ComplexVec q = TimesConjugate(dy2, spectrum.Filter(1, point, lane));
  const ComplexVec difference = p - q;
  dz = p + q;
  dm = {difference.re, hn::Neg(difference.im)};
}

// The rows of a pair in both work areas: of the inputs, and of the outputs' gradient.
struct GradientRows {
  float *x, *x_mirror, *dy, *dy_mirror;
};

HWY_INLINE void GradientRowPair(const FftPlan& plan, const FftPlan::RowPair& pair,
                                const FloatSpectrum& spectrum, size_t first_point,
                                const GradientRows& rows, float* sums) {
  const ChannelTag d;
  ForwardRow(plan.rows, rows.x);
  ForwardRow(plan.rows, rows.dy);
  if (pair.row != pair.mirror) {
    ForwardRow(plan.rows, rows.x_mirror);
    ForwardRow(plan.rows, rows.dy_mirror);
  }
  ForEachMirror(plan, pair, [&](size_t position, size_t partner) HWY_ATTR {
    for (size_t lane = 0; lane < kChannelBlock; lane += hn::Lanes(d)) {
      const size_t at = position * kPoint + lane, opposite = partner * kPoint + lane;
      ComplexVec dz = LoadPoint<Direction::kForward>(rows.dy + at);
      ComplexVec dm = LoadPoint<Direction::kForward>(rows.dy_mirror + opposite);
      GradientOfMirrors(spectrum, first_point + position, lane,
                        LoadPoint<Direction::kForward>(rows.x + at),
                        LoadPoint<Direction::kForward>(rows.x_mirror + opposite), dz, dm, sums);
      StorePoint<Direction::kForward>(dz, rows.dy + at);
      StorePoint<Direction::kForward>(dm, rows.dy_mirror + opposite);
    }
  });
  InverseRow(plan.rows, rows.dy);
  if (pair.row != pair.mirror) InverseRow(plan.rows, rows.dy_mirror);
}

// A pair of rows of the transform whose real part is kernel 1's gradient, its imaginary part kernel
// 2's.
HWY_INLINE void JoinRows(const FftPlan& plan, const FftPlan::RowPair& pair, const float* sums,
                         float* row, float* mirror) {
  const ChannelTag d;
  ForEachMirror(plan, pair, [&](size_t position, size_t partner) HWY_ATTR {
    for (size_t lane = 0; lane < kChannelBlock; lane += hn::Lanes(d)) {
      const float* sum = sums + position * kPairPoint + lane;
      const ComplexVec k1 = LoadPoint<Direction::kForward>(sum);
      const ComplexVec k2 = LoadPoint<Direction::kForward>(sum + kPoint);
      StorePoint<Direction::kForward>({hn::Sub(k1.re, k2.im), hn::Add(k1.im, k2.re)},
                                      row + position * kPoint + lane);
      StorePoint<Direction::kForward>({hn::Add(k1.re, k2.im), hn::Sub(k2.re, k1.im)},
                                      mirror + partner * kPoint + lane);
    }
  });
  InverseRow(plan.rows, row);
  if (pair.row != pair.mirror) InverseRow(plan.rows, mirror);
}

void LongConvPairForward(const LongConvPair& block) {
  const FftPlan& plan = *block.plan;
  ForwardColumns<Half::kLower>(plan, block.work, PairInput(block.x1, block.x2, block.length));
  FilterRows(plan, FloatSpectrum(block.spectrum), block.work);
  InverseColumns<Half::kLower>(plan, block.work, PairOutput(block.y1, block.y2, block.length));
}

void LongConvPairBackward(const LongConvPairGradient& block) {
  const FftPlan& plan = *block.plan;
  float* x = block.work;
  float* dy = block.work + plan.workspace_floats();
  ForwardColumns<Half::kLower>(plan, x, PairInput(block.x1, block.x2, block.length));
  ForwardColumns<Half::kLower>(plan, dy, PairInput(block.dy1, block.dy2, block.length));
  for (size_t i = 0; i < plan.pairs.size(); ++i) {
    const FftPlan::RowPair& pair = plan.pairs[i];
    const size_t row = pair.row * plan.row_stride(), mirror = pair.mirror * plan.row_stride();
    GradientRowPair(plan, pair, FloatSpectrum(block.spectrum), i * plan.rows.points,
                    {x + row, x + mirror, dy + row, dy + mirror}, block.spectrum_gradient);
  }
  InverseColumns<Half::kLower>(plan, dy, PairOutput(block.dx1, block.dx2, block.length));
}

void LongConvKernelBackward(const LongConvKernelGradient& request) {
  const FftPlan& plan = *request.plan;
  for (size_t i = 0; i < plan.pairs.size(); ++i) {
    const FftPlan::RowPair& pair = plan.pairs[i];
    JoinRows(plan, pair, request.spectrum_gradient + i * plan.rows.points * kPairPoint,
             request.work + pair.row * plan.row_stride(),
             request.work + pair.mirror * plan.row_stride());
  }
  InverseColumns<Half::kBoth>(plan, request.work,
                              PairOutput(request.kernel1, request.kernel2, plan.points,
                                         0.25f / static_cast<float>(plan.points)));
}

}  // namespace HWY_NAMESPACE
}  // namespace m2
HWY_AFTER_NAMESPACE();

#endif
