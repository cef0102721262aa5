#include "monarch/permutation.h"

#include <numeric>

#include "monarch_test.h"

namespace m2 {
namespace {

using Sizes = std::vector<size_t>;

TEST(Permutation, TransposesAMatrix) {
  const std::vector<int> matrix = {11, 12, 13, 21, 22, 23};
  EXPECT_EQ(permute<int>(transpose_permutation(2, 3), matrix),
            (std::vector<int>{11, 21, 12, 22, 13, 23}));
  EXPECT_NE(permute<int>(transpose_permutation(3, 2), matrix),
            (std::vector<int>{11, 21, 12, 22, 13, 23}));
}

TEST(Permutation, OfOneRowOrColumnMovesNothing) {
  for (const size_t points : {1u, 2u, 7u}) {
    Permutation still(points);
    std::iota(still.begin(), still.end(), size_t{0});
    EXPECT_EQ(transpose_permutation(1, points), still);
    EXPECT_EQ(transpose_permutation(points, 1), still);
    EXPECT_EQ(digit_reversal(Sizes{points}), still);
  }
}

TEST(Permutation, DigitsOfTwoRadicesAreATranspose) {
  EXPECT_EQ(digit_reversal(Sizes{3, 5}), transpose_permutation(5, 3));
}

TEST(Permutation, BinaryDigitsAreBitReversal) {
  const Permutation permutation = digit_reversal(Sizes{2, 2, 2, 2, 2});
  ASSERT_EQ(permutation.size(), 32u);
  for (size_t i = 0; i < 32; ++i) {
    size_t reversed = 0;
    for (size_t bit = 0; bit < 5; ++bit) reversed |= (i >> bit & 1) << (4 - bit);
    EXPECT_EQ(permutation[i], reversed);
  }
}

TEST(Permutation, MixedDigitsFollowTheFormula) {
  const Permutation permutation = digit_reversal(Sizes{2, 3, 5});
  size_t position = 0;
  for (size_t k1 = 0; k1 < 2; ++k1) {
    for (size_t k2 = 0; k2 < 3; ++k2) {
      for (size_t k3 = 0; k3 < 5; ++k3) EXPECT_EQ(permutation[position++], k1 + 2 * k2 + 6 * k3);
    }
  }
}

TEST(Permutation, TheInverseUndoes) {
  const std::vector<double> x = random_numbers<double>(42, 1);
  for (const Permutation& permutation :
       {transpose_permutation(6, 7), digit_reversal(Sizes{2, 3, 7})}) {
    const std::vector<double> y = permute<double>(permutation, x);
    EXPECT_NE(y, x);
    EXPECT_EQ(permute<double>(inverse_permutation(permutation), y), x);
  }
  EXPECT_EQ(inverse_permutation(transpose_permutation(6, 7)), transpose_permutation(7, 6));
}

}  // namespace
}  // namespace m2
