#include "kernels/fft_plan.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <mutex>
#include <numbers>

#include "core/error.h"
#include "kernels/layout.h"

namespace m2 {
namespace {

constexpr size_t kSmallestTransform = 16;
constexpr size_t kElement = 2 * kChannelBlock;  // floats of one complex point of a channel block

// Columns side by side: what a row of the work area holds of them is the piece of memory that the
// passes over columns read and write at a time, 1 kB.
constexpr size_t kColumnGroup = 8;

// Odd parts of the supported sizes: within an octave they step by at most a quarter.
constexpr std::array<size_t, 5> kOddFactors = {1, 3, 5, 9, 15};

// exp(−2πi·numerator/denominator). The fraction is reduced first, so that the angle is exact.
void append_root(std::vector<float>& table, size_t numerator, size_t denominator) {
  const double angle = -2.0 * std::numbers::pi * static_cast<double>(numerator % denominator) /
                       static_cast<double>(denominator);
  table.push_back(static_cast<float>(std::cos(angle)));
  table.push_back(static_cast<float>(std::sin(angle)));
}

std::vector<int> radices_of(size_t points) {
  // Two stages at least for a pass over columns, whose first and last stage do more than the
  // others.
  if (points == 4) return {2, 2};
  std::vector<int> radices;
  for (const int radix : {4, 2, 3, 5}) {
    while (points % static_cast<size_t>(radix) == 0) {
      radices.push_back(radix);
      points /= static_cast<size_t>(radix);
    }
  }
  M2_CHECK(points == 1);
  return radices;
}

FftAxis make_axis(size_t points) {
  FftAxis axis;
  axis.points = points;
  std::vector<size_t> offsets;
  size_t span = points;
  for (const int radix : radices_of(points)) {
    const size_t stride = span / static_cast<size_t>(radix);
    offsets.push_back(axis.twiddles.size());
    axis.stages.push_back({radix, points / span, stride, nullptr});
    for (size_t j = 0; j < stride; ++j) {
      for (size_t q = 1; q < static_cast<size_t>(radix); ++q)
        append_root(axis.twiddles, j * q, span);
    }
    span = stride;
  }
  for (size_t i = 0; i < offsets.size(); ++i) {
    axis.stages[i].twiddles = axis.twiddles.data() + offsets[i];
  }
  axis.frequency.resize(points);
  axis.position.resize(points);
  for (size_t position = 0; position < points; ++position) {
    // A stage sends residue q of the frequency to the q-th of its pieces.
    size_t frequency = 0, weight = 1, rest = position;
    for (const FftAxis::Stage& stage : axis.stages) {
      frequency += rest / stage.stride * weight;
      rest %= stage.stride;
      weight *= static_cast<size_t>(stage.radix);
    }
    axis.frequency[position] = static_cast<uint32_t>(frequency);
    axis.position[frequency] = static_cast<uint32_t>(position);
  }
  return axis;
}

// N1 is 4, 16 or 64, as large as half the square root of the size allows: a group of columns then
// fits the second cache, and all its stages are radix 4. Supported sizes have a factor of 8.
size_t column_points(size_t points) {
  const size_t power = points & (~points + 1);
  size_t columns = 4;
  while (columns < 64 && 2 * 16 * columns * columns <= points && power % (4 * columns) == 0) {
    columns *= 4;
  }
  return columns;
}

void pair_rows(FftPlan& plan) {
  const size_t n1 = plan.columns.points, n2 = plan.rows.points;
  for (size_t position = 0; position < n2; ++position) {
    const size_t frequency = plan.rows.frequency[position];
    plan.partners_of_row_zero.push_back(plan.rows.position[(n2 - frequency) % n2]);
    plan.partners.push_back(plan.rows.position[n2 - 1 - frequency]);
  }
  for (size_t k1 = 0; k1 <= n1 / 2; ++k1) {
    plan.pairs.push_back({plan.columns.position[k1], plan.columns.position[(n1 - k1) % n1],
                          k1 == 0 ? plan.partners_of_row_zero.data() : plan.partners.data()});
  }
}

std::shared_ptr<const FftPlan> make_plan(size_t points) {
  auto plan = std::make_shared<FftPlan>();
  plan->points = points;
  const size_t n1 = column_points(points);
  plan->columns = make_axis(n1);
  plan->rows = make_axis(points / n1);
  plan->twiddles.reserve(2 * points);
  for (size_t n2 = 0; n2 < plan->rows.points; ++n2) {
    for (size_t position = 0; position < n1; ++position) {
      append_root(plan->twiddles, n2 * plan->columns.frequency[position], points);
    }
  }
  pair_rows(*plan);
  while (plan->column_group < kColumnGroup && plan->rows.points % (2 * plan->column_group) == 0) {
    plan->column_group *= 2;
  }
  return plan;
}

}  // namespace

size_t FftPlan::row_stride() const {
  return (rows.points + 1) * kElement;
}

size_t FftPlan::workspace_floats() const {
  return columns.points * row_stride() + columns.points * column_group * kElement;
}

size_t FftPlan::spectrum_floats() const {
  return (columns.points / 2 + 1) * rows.points * 2 * kElement;
}

size_t transform_size(size_t points) {
  size_t best = 0;
  for (const size_t odd : kOddFactors) {
    size_t size = odd;
    while (size < std::max(points, kSmallestTransform) || size % 8 != 0) size *= 2;
    if (best == 0 || size < best) best = size;
  }
  return best;
}

std::shared_ptr<const FftPlan> fft_plan(size_t points) {
  M2_CHECK(points == transform_size(points));
  static std::mutex mutex;
  static std::map<size_t, std::shared_ptr<const FftPlan>> plans;
  const std::lock_guard lock(mutex);
  auto& plan = plans[points];
  if (!plan) plan = make_plan(points);
  return plan;
}

}  // namespace m2
