// The passes of the four-step transform around the product with the filters, for whatever loads,
// spectra and stores: columns (load, transform, twiddle), pairs of rows (transform, multiply,
// transform back), columns again (twiddle, transform back, store). Included once for each target.
#if defined(M2_KERNELS_CPU_FOUR_STEP_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef M2_KERNELS_CPU_FOUR_STEP_INL_H
#undef M2_KERNELS_CPU_FOUR_STEP_INL_H
#else
#define M2_KERNELS_CPU_FOUR_STEP_INL_H
#endif

#include "kernels/cpu/fft-inl.h"

HWY_BEFORE_NAMESPACE();
namespace m2 {
namespace HWY_NAMESPACE {

// A point of a pair of spectra: [re 1, im 1, re 2, im 2][16].
constexpr size_t kPairPoint = 4 * kChannelBlock;

class FloatSpectrum {
 public:
  explicit FloatSpectrum(const float* values) : values_(values) {}

  HWY_INLINE ComplexVec Filter(size_t filter, size_t point, size_t lane) const {
    return LoadPoint<Direction::kForward>(values_ + point * kPairPoint + filter * kPoint + lane);
  }

 private:
  const float* values_;
};

// First stage of a group of columns, the first at index `column`. load.FillRow writes one row of
// the group, one point a column, in place; with Half::kLower the upper half is zero and not asked
// for.
template <size_t kRadix, Half kHalf, class Load>
HWY_INLINE void FillColumns(const FftPlan& plan, size_t column, const Load& load, float* local) {
  const FftAxis::Stage& stage = plan.columns.stages.front();
  const size_t group = plan.column_group;
  constexpr size_t kLive = kHalf == Half::kLower ? kRadix / 2 : kRadix;
  for (size_t j = 0; j < stage.stride; ++j) {
    for (size_t q = 0; q < kLive; ++q) {
      const size_t row = j + q * stage.stride;
      load.FillRow(row * plan.rows.points + column, group, local + row * group * kPoint);
    }
    StageColumns<kRadix, Direction::kForward, kHalf>(stage, j, group, local);
  }
}

// Last stage of a group of columns, with the twiddles between the passes, out to the work area.
// `first` and `count` are of the stage's blocks.
template <size_t kRadix>
HWY_INLINE void ScatterColumns(const FftPlan& plan, size_t column, size_t first, size_t count,
                               const float* local, float* work) {
  const size_t group = plan.column_group, n1 = plan.columns.points, stride = plan.row_stride();
  for (size_t position = first * kRadix; position < (first + count) * kRadix; position += kRadix) {
    for (size_t g = 0; g < group; ++g) {
      const float* twiddles = plan.twiddles.data() + ((column + g) * n1 + position) * 2;
      for (size_t lane = 0; lane < kChannelBlock; lane += hn::Lanes(ChannelTag())) {
        ComplexVec z[kRadix];
        for (size_t q = 0; q < kRadix; ++q) {
          z[q] =
              LoadPoint<Direction::kForward>(local + ((position + q) * group + g) * kPoint + lane);
        }
        Butterfly(z);
        for (size_t q = 0; q < kRadix; ++q) {
          StorePoint<Direction::kForward>(
              Twiddled(z[q], twiddles + 2 * q),
              work + (position + q) * stride + (column + g) * kPoint + lane);
        }
      }
    }
  }
}

// The way back: ScatterColumns' mirror image.
template <size_t kRadix>
HWY_INLINE void GatherColumns(const FftPlan& plan, size_t column, size_t first, size_t count,
                              const float* work, float* local) {
  const size_t group = plan.column_group, n1 = plan.columns.points, stride = plan.row_stride();
  for (size_t position = first * kRadix; position < (first + count) * kRadix; position += kRadix) {
    for (size_t g = 0; g < group; ++g) {
      const float* twiddles = plan.twiddles.data() + ((column + g) * n1 + position) * 2;
      for (size_t lane = 0; lane < kChannelBlock; lane += hn::Lanes(ChannelTag())) {
        ComplexVec z[kRadix];
        for (size_t q = 0; q < kRadix; ++q) {
          z[q] = Twiddled(LoadPoint<Direction::kInverse>(work + (position + q) * stride +
                                                         (column + g) * kPoint + lane),
                          twiddles + 2 * q);
        }
        Butterfly(z);
        for (size_t q = 0; q < kRadix; ++q) {
          StorePoint<Direction::kInverse>(z[q],
                                          local + ((position + q) * group + g) * kPoint + lane);
        }
      }
    }
  }
}

// FillColumns' mirror image: store.DrainRow takes the rows, with Half::kLower the lower half.
template <size_t kRadix, Half kHalf, class Store>
HWY_INLINE void DrainColumns(const FftPlan& plan, size_t column, const Store& store, float* local) {
  const FftAxis::Stage& stage = plan.columns.stages.front();
  const size_t group = plan.column_group;
  constexpr size_t kLive = kHalf == Half::kLower ? kRadix / 2 : kRadix;
  for (size_t j = 0; j < stage.stride; ++j) {
    StageColumns<kRadix, Direction::kInverse, kHalf>(stage, j, group, local);
    for (size_t q = 0; q < kLive; ++q) {
      const size_t row = j + q * stage.stride;
      store.DrainRow(row * plan.rows.points + column, group, local + row * group * kPoint);
    }
  }
}

// Column pass forward, from load.FillRow to the work area.
template <Half kHalf, class Load>
HWY_INLINE void ForwardColumns(const FftPlan& plan, float* work, const Load& load) {
  const FftAxis& axis = plan.columns;
  const size_t pieces = static_cast<size_t>(axis.stages.front().radix);
  const size_t count = axis.stages.back().blocks / pieces;
  float* local = work + axis.points * plan.row_stride();
  for (size_t column = 0; column < plan.rows.points; column += plan.column_group) {
    if (pieces == 4) {
      FillColumns<4, kHalf>(plan, column, load, local);
    } else {
      FillColumns<2, kHalf>(plan, column, load, local);
    }
    for (size_t piece = 0; piece < pieces; ++piece) {
      ForwardMiddle(axis, piece, plan.column_group, local);
      if (axis.stages.back().radix == 4) {
        ScatterColumns<4>(plan, column, piece * count, count, local, work);
      } else {
        ScatterColumns<2>(plan, column, piece * count, count, local, work);
      }
    }
  }
}

// Column pass back, from the work area to store.DrainRow.
template <Half kHalf, class Store>
HWY_INLINE void InverseColumns(const FftPlan& plan, float* work, const Store& store) {
  const FftAxis& axis = plan.columns;
  const size_t pieces = static_cast<size_t>(axis.stages.front().radix);
  const size_t count = axis.stages.back().blocks / pieces;
  float* local = work + axis.points * plan.row_stride();
  for (size_t column = 0; column < plan.rows.points; column += plan.column_group) {
    for (size_t piece = 0; piece < pieces; ++piece) {
      if (axis.stages.back().radix == 4) {
        GatherColumns<4>(plan, column, piece * count, count, work, local);
      } else {
        GatherColumns<2>(plan, column, piece * count, count, work, local);
      }
      InverseMiddle(axis, piece, plan.column_group, local);
    }
    if (pieces == 4) {
      DrainColumns<4, kHalf>(plan, column, store, local);
    } else {
      DrainColumns<2, kHalf>(plan, column, store, local);
    }
  }
}

// Calls body(position, partner) for each pair of mirror frequencies of a pair of rows, once.
template <class Body>
HWY_INLINE void ForEachMirror(const FftPlan& plan, const FftPlan::RowPair& pair, const Body& body) {
  for (size_t position = 0; position < plan.rows.points; ++position) {
    const size_t partner = pair.partner[position];
    if (pair.row == pair.mirror && partner < position) continue;
    body(position, partner);
  }
}

// Multiplies both signals at a pair of mirror frequencies by their filters. With Z the transform of
// a + i·b, the sums Z[k] ± conj(Z[N−k]) are 2A[k] and 2i·B[k]; the halves are in the spectrum's
// scale.
template <class Spectrum>
HWY_INLINE void MultiplyMirrors(const Spectrum& spectrum, size_t point, size_t lane, ComplexVec& z,
                                ComplexVec& m) {
  const ComplexVec first = {hn::Add(z.re, m.re), hn::Sub(z.im, m.im)};
  const ComplexVec second = {hn::Sub(z.re, m.re), hn::Add(z.im, m.im)};
  const ComplexVec p = Times(first, spectrum.Filter(0, point, lane));
  const ComplexVec q = Times(second, spectrum.Filter(1, point, lane));
  const ComplexVec difference = p - q;
  z = p + q;
  m = {difference.re, hn::Neg(difference.im)};
}

// A row that is its own mirror.
template <class Spectrum>
HWY_INLINE void FilterRow(const FftPlan& plan, const FftPlan::RowPair& pair,
                          const Spectrum& spectrum, size_t first_point, float* row) {
  const ChannelTag d;
  ForwardRow(plan.rows, row);
  ForEachMirror(plan, pair, [&](size_t position, size_t partner) HWY_ATTR {
    for (size_t lane = 0; lane < kChannelBlock; lane += hn::Lanes(d)) {
      ComplexVec z = LoadPoint<Direction::kForward>(row + position * kPoint + lane);
      ComplexVec m = LoadPoint<Direction::kForward>(row + partner * kPoint + lane);
      MultiplyMirrors(spectrum, first_point + position, lane, z, m);
      StorePoint<Direction::kForward>(z, row + position * kPoint + lane);
      StorePoint<Direction::kForward>(m, row + partner * kPoint + lane);
    }
  });
  InverseRow(plan.rows, row);
}

// Last stage, product and first stage back of one block of a row and its mirror: the frequencies of
// a block are f, f + N2/R, …, so their mirrors are a block of the other row, in opposite order.
template <size_t kRadix, class Spectrum>
HWY_INLINE void FilterBlock(const Spectrum& spectrum, size_t point, float* row, float* mirror) {
  const ChannelTag d;
  for (size_t lane = 0; lane < kChannelBlock; lane += hn::Lanes(d)) {
    ComplexVec z[kRadix], m[kRadix];
    for (size_t q = 0; q < kRadix; ++q) {
      z[q] = LoadPoint<Direction::kForward>(row + q * kPoint + lane);
      m[q] = LoadPoint<Direction::kForward>(mirror + q * kPoint + lane);
    }
    Butterfly(z);
    Butterfly(m);
    for (size_t q = 0; q < kRadix; ++q) {
      MultiplyMirrors(spectrum, point + q, lane, z[q], m[kRadix - 1 - q]);
    }
    for (size_t q = 0; q < kRadix; ++q) {
      z[q] = {z[q].im, z[q].re};
      m[q] = {m[q].im, m[q].re};
    }
    Butterfly(z);
    Butterfly(m);
    for (size_t q = 0; q < kRadix; ++q) {
      StorePoint<Direction::kInverse>(z[q], row + q * kPoint + lane);
      StorePoint<Direction::kInverse>(m[q], mirror + q * kPoint + lane);
    }
  }
}

// `count` blocks from block `first` of a row on.
template <size_t kRadix, class Spectrum>
HWY_NOINLINE void FilterBlocks(const FftPlan::RowPair& pair, const Spectrum& spectrum,
                               size_t first_point, size_t first, size_t count, float* row,
                               float* mirror) {
  for (size_t position = first * kRadix; position < (first + count) * kRadix; position += kRadix) {
    const size_t partner = pair.partner[position] + 1 - kRadix;
    FilterBlock<kRadix>(spectrum, first_point + position, row + position * kPoint,
                        mirror + partner * kPoint);
  }
}

template <class Spectrum>
HWY_INLINE void FilterBlocksOfRadix(int radix, const FftPlan::RowPair& pair,
                                    const Spectrum& spectrum, size_t first_point, size_t first,
                                    size_t count, float* row, float* mirror) {
  if (radix == 4) {
    FilterBlocks<4>(pair, spectrum, first_point, first, count, row, mirror);
  } else if (radix == 2) {
    FilterBlocks<2>(pair, spectrum, first_point, first, count, row, mirror);
  } else if (radix == 3) {
    FilterBlocks<3>(pair, spectrum, first_point, first, count, row, mirror);
  } else {
    FilterBlocks<5>(pair, spectrum, first_point, first, count, row, mirror);
  }
}

// A row and its mirror. The first stage's piece number r has the frequencies r mod its radix; their
// mirrors are the other row's piece number radix − 1 − r.
template <class Spectrum>
HWY_INLINE void FilterRowPair(const FftPlan& plan, const FftPlan::RowPair& pair,
                              const Spectrum& spectrum, size_t first_point, float* row,
                              float* mirror) {
  const FftAxis& axis = plan.rows;
  const int last_radix = axis.stages.back().radix;
  if (axis.stages.size() == 1) {
    FilterBlocksOfRadix(last_radix, pair, spectrum, first_point, 0, 1, row, mirror);
    return;
  }
  const FftAxis::Stage& outer = axis.stages.front();
  const size_t pieces = static_cast<size_t>(outer.radix);
  const size_t count = axis.stages.back().blocks / pieces;
  RunStage<Direction::kForward>(outer, 1, 1, row);
  RunStage<Direction::kForward>(outer, 1, 1, mirror);
  for (size_t piece = 0; piece < pieces; ++piece) {
    ForwardMiddle(axis, piece, 1, row);
    ForwardMiddle(axis, pieces - 1 - piece, 1, mirror);
    FilterBlocksOfRadix(last_radix, pair, spectrum, first_point, piece * count, count, row, mirror);
    InverseMiddle(axis, piece, 1, row);
    InverseMiddle(axis, pieces - 1 - piece, 1, mirror);
  }
  RunStage<Direction::kInverse>(outer, 1, 1, row);
  RunStage<Direction::kInverse>(outer, 1, 1, mirror);
}

template <class Spectrum>
HWY_INLINE void FilterRows(const FftPlan& plan, const Spectrum& spectrum, float* work) {
  for (size_t i = 0; i < plan.pairs.size(); ++i) {
    const FftPlan::RowPair& pair = plan.pairs[i];
    float* row = work + pair.row * plan.row_stride();
    const size_t first_point = i * plan.rows.points;
    if (pair.row == pair.mirror) {
      FilterRow(plan, pair, spectrum, first_point, row);
    } else {
      FilterRowPair(plan, pair, spectrum, first_point, row, work + pair.mirror * plan.row_stride());
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace m2
HWY_AFTER_NAMESPACE();

#endif
