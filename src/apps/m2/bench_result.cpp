#include "apps/m2/bench_result.h"

#include <algorithm>
#include <numeric>

#include "core/error.h"

namespace m2 {

const BenchCell* BenchResult::timed_cell(size_t series_index, size_t shape_index) const {
  const auto found = std::find_if(cells.begin(), cells.end(), [&](const BenchCell& cell) {
    return cell.series == series_index && cell.shape == shape_index && cell.timed();
  });
  return found == cells.end() ? nullptr : &*found;
}

std::optional<double> BenchResult::ratio(size_t peer_series, size_t shape) const {
  const BenchSeries& wanted = series[peer_series];
  const auto own = std::find_if(series.begin(), series.end(), [&](const BenchSeries& candidate) {
    return candidate.own && candidate.dtype == wanted.dtype && candidate.threads == wanted.threads;
  });
  if (own == series.end()) return std::nullopt;
  const BenchCell* ours = timed_cell(static_cast<size_t>(own - series.begin()), shape);
  const BenchCell* theirs = timed_cell(peer_series, shape);
  if (ours == nullptr || theirs == nullptr) return std::nullopt;
  std::vector<double> ratios;
  for (size_t i = 0; i < std::min(ours->seconds.size(), theirs->seconds.size()); ++i) {
    ratios.push_back(theirs->seconds[i] / ours->seconds[i]);
  }
  return median(ratios);
}

double median(std::vector<double> values) {
  M2_CHECK(!values.empty());
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

double tokens_per_second(const BenchCell& cell, const BenchShape& shape) {
  return static_cast<double>(shape.tokens) / median(cell.seconds);
}

double roofline_fraction(const BenchCell& cell, double flops) {
  return flops / median(cell.seconds) / (cell.gemm_gflops * 1e9);
}

double phase_share(const BenchCell& cell, int threads, Phase phase) {
  const double seconds = std::accumulate(cell.seconds.begin(), cell.seconds.end(), 0.0);
  return cell.phases[static_cast<size_t>(phase)] / (seconds * threads);
}

double remaining_share(const BenchCell& cell, int threads) {
  double share = 1;
  for (size_t i = 0; i < kPhases; ++i) share -= phase_share(cell, threads, static_cast<Phase>(i));
  return share;
}

}  // namespace m2
