#include "data/permutation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

namespace m2 {
namespace {

std::vector<uint64_t> places(uint64_t size, uint64_t key) {
  const Permutation permutation(size, key);
  std::vector<uint64_t> found;
  for (uint64_t i = 0; i < size; ++i) found.push_back(permutation(i));
  return found;
}

TEST(Permutation, IsABijection) {
  for (const uint64_t size :
       std::initializer_list<uint64_t>{1, 2, 3, 4, 5, 16, 17, 127, 255, 256, 257, 65537, 1000003}) {
    std::vector<bool> met(size, false);
    for (const uint64_t place : places(size, 42)) {
      ASSERT_LT(place, size);
      ASSERT_FALSE(met[place]) << size;
      met[place] = true;
    }
  }
}

TEST(Permutation, TakesTheLargestSize) {
  const uint64_t size = uint64_t{1} << 62;
  const Permutation permutation(size, 1);
  std::vector<uint64_t> found;
  for (uint64_t i = 0; i < 1000; ++i) {
    found.push_back(permutation(size - 1 - i));
    EXPECT_LT(found.back(), size);
  }
  std::sort(found.begin(), found.end());
  EXPECT_EQ(std::adjacent_find(found.begin(), found.end()), found.end());
}

TEST(Permutation, DependsOnTheKey) {
  EXPECT_EQ(places(127, 1), places(127, 1));
  EXPECT_NE(places(127, 1), places(127, 2));
}

// Each of the 120 orders of five as often as the others: chi-square with 119 degrees of freedom is
// 119 ± 15.4; above 119 + 6 · 15.4 = 212 it is no chance (p < 1e-6).
TEST(Permutation, GivesEveryOrderOfFive) {
  constexpr int kKeys = 24'000;
  std::map<std::vector<uint64_t>, int> counts;
  for (uint64_t key = 0; key < kKeys; ++key) ++counts[places(5, key)];
  EXPECT_EQ(counts.size(), 120u);
  double chi_square = 0;
  for (const auto& [order, count] : counts) chi_square += (count - 200.0) * (count - 200.0) / 200.0;
  EXPECT_LT(chi_square, 212);
}

// Neighbours end far from each other: of uniform places the mean distance is n/3; its standard
// error over n pairs is n/√(18 n), here 0.0024 n.
TEST(Permutation, TearsNeighboursApart) {
  constexpr uint64_t kSize = 10'007;
  const std::vector<uint64_t> found = places(kSize, 3);
  double sum = 0;
  for (size_t i = 1; i < kSize; ++i) {
    sum += static_cast<double>(std::max(found[i], found[i - 1]) - std::min(found[i], found[i - 1]));
  }
  EXPECT_NEAR(sum / kSize / kSize, 1.0 / 3, 6 * 0.0024);
}

}  // namespace
}  // namespace m2
