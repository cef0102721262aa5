#include "monarch/shapes.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <numeric>

#include "core/error.h"
#include "core/text.h"

namespace m2 {
namespace {

// Extends `chosen` by `left` radices of product `points`, none above the last chosen, and keeps the
// list of least sum in `best`.
void search_radices(size_t points, size_t left, std::vector<size_t>& chosen,
                    std::vector<size_t>& best) {
  const size_t largest = chosen.empty() ? points : chosen.back();
  if (left == 1) {
    if (points > largest) return;
    chosen.push_back(points);
    const auto sum = [](const std::vector<size_t>& radices) {
      return std::accumulate(radices.begin(), radices.end(), size_t{0});
    };
    if (best.empty() || sum(chosen) < sum(best)) best = chosen;
    chosen.pop_back();
    return;
  }
  for (size_t radix = 1; radix <= std::min(points, largest); ++radix) {
    if (points % radix != 0) continue;
    chosen.push_back(radix);
    search_radices(points / radix, left - 1, chosen, best);
    chosen.pop_back();
  }
}

}  // namespace

std::vector<FactorShape> monarch_shapes(std::span<const size_t> radices) {
  std::vector<FactorShape> shapes;
  size_t outer = std::accumulate(radices.begin(), radices.end(), size_t{1}, std::multiplies<>());
  size_t inner = 1;
  for (size_t axis = radices.size(); axis-- > 0;) {
    const size_t radix = radices[axis];
    M2_CHECK(radix > 0);
    outer /= radix;
    shapes.push_back({outer, radix, radix, inner});
    inner *= radix;
  }
  return shapes;
}

std::vector<FactorShape> rectangular_shapes(const RectangularSizes& sizes) {
  if (sizes.k * sizes.q != sizes.r * sizes.l) {
    throw usage_error(concat("a rectangular Monarch matrix needs k·q = r·l, not ", sizes.k, "·",
                             sizes.q, " and ", sizes.r, "·", sizes.l));
  }
  return {{sizes.k, sizes.p, sizes.q, 1}, {1, sizes.r, sizes.s, sizes.l}};
}

std::vector<FactorShape> butterfly_shapes(size_t points) {
  if (!std::has_single_bit(points)) {
    throw usage_error(concat("a butterfly needs a power of two, not ", points, " points"));
  }
  return monarch_shapes(std::vector<size_t>(static_cast<size_t>(std::countr_zero(points)), 2));
}

std::vector<FactorShape> low_rank_shapes(size_t rows, size_t rank, size_t columns) {
  return {{1, columns, rank, 1}, {1, rank, rows, 1}};
}

std::vector<size_t> balanced_radices(size_t points, size_t order) {
  M2_CHECK(points > 0 && order > 0);
  std::vector<size_t> chosen, best;
  search_radices(points, order, chosen, best);
  return best;
}

}  // namespace m2
