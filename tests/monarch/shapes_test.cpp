#include "monarch/shapes.h"

#include <functional>
#include <numeric>

#include "monarch_test.h"

namespace m2 {
namespace {

using Sizes = std::vector<size_t>;

size_t weights_of(const std::vector<FactorShape>& shapes) {
  size_t weights = 0;
  for (const FactorShape& shape : shapes) weights += shape.weights();
  return weights;
}

TEST(MonarchShapes, OrderPHasPTimesNToThePPlusOneOverPWeights) {
  EXPECT_EQ(weights_of(monarch_shapes(Sizes{16, 16})), 2u * 256 * 16);
  EXPECT_EQ(weights_of(monarch_shapes(Sizes{8, 8, 8})), 3u * 512 * 8);
  EXPECT_EQ(weights_of(monarch_shapes(Sizes{3, 3, 3, 3})), 4u * 81 * 3);
}

TEST(MonarchShapes, TheLastAxisComesFirst) {
  const std::vector<FactorShape> expected = {{6, 5, 5, 1}, {2, 3, 3, 5}, {1, 2, 2, 15}};
  EXPECT_EQ(monarch_shapes(Sizes{2, 3, 5}), expected);
}

TEST(MonarchShapes, EveryFactorKeepsTheNumberOfPoints) {
  for (const Sizes& radices : {Sizes{1}, Sizes{7}, Sizes{1, 1}, Sizes{2, 3}, Sizes{5, 1, 3}}) {
    const size_t points =
        std::accumulate(radices.begin(), radices.end(), size_t{1}, std::multiplies<>());
    for (const FactorShape& shape : monarch_shapes(radices)) {
      EXPECT_EQ(shape.rows(), points);
      EXPECT_EQ(shape.columns(), points);
    }
  }
}

TEST(MonarchShapes, ARectangleThatDoesNotFitIsRefused) {
  EXPECT_EQ(rectangular_shapes({2, 6, 3, 4, 5, 3}).size(), 2u);
  EXPECT_EQ(error_of([] { rectangular_shapes({2, 5, 3, 4, 5, 3}); }),
            "a rectangular Monarch matrix needs k·q = r·l, not 2·5 and 3·4");
}

TEST(MonarchShapes, AButterflyTakesAPowerOfTwo) {
  EXPECT_EQ(butterfly_shapes(16), monarch_shapes(Sizes{2, 2, 2, 2}));
  EXPECT_EQ(error_of([] { butterfly_shapes(12); }),
            "a butterfly needs a power of two, not 12 points");
}

// The least sum over all lists, by trying each.
size_t least_sum(size_t points, size_t order) {
  if (order == 1) return points;
  size_t best = points + order;
  for (size_t radix = 1; radix <= points; ++radix) {
    if (points % radix == 0) best = std::min(best, radix + least_sum(points / radix, order - 1));
  }
  return best;
}

TEST(BalancedRadices, HaveTheLeastSum) {
  for (size_t points = 1; points <= 130; ++points) {
    for (size_t order = 1; order <= 4; ++order) {
      const Sizes radices = balanced_radices(points, order);
      ASSERT_EQ(radices.size(), order);
      EXPECT_EQ(std::accumulate(radices.begin(), radices.end(), size_t{0}),
                least_sum(points, order))
          << points << " " << order;
      EXPECT_EQ(std::accumulate(radices.begin(), radices.end(), size_t{1}, std::multiplies<>()),
                points);
      EXPECT_TRUE(std::is_sorted(radices.rbegin(), radices.rend()));
    }
  }
  EXPECT_EQ(balanced_radices(1u << 20, 3), (Sizes{128, 128, 64}));
}

}  // namespace
}  // namespace m2
