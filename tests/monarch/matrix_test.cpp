#include "monarch/matrix.h"

#include <bit>

#include "monarch/permutation.h"
#include "monarch_test.h"

namespace m2 {
namespace {

using Sizes = std::vector<size_t>;

constexpr double kRounding = 1e-13;  // sums of some dozen products in double, a few factors deep

std::vector<std::vector<FactorShape>> awkward_shapes() {
  return {monarch_shapes(Sizes{1}),
          monarch_shapes(Sizes{2}),
          monarch_shapes(Sizes{3, 1}),
          monarch_shapes(Sizes{1, 7}),
          monarch_shapes(Sizes{4, 4}),
          monarch_shapes(Sizes{5, 3}),
          monarch_shapes(Sizes{2, 3, 5}),
          butterfly_shapes(32),
          low_rank_shapes(7, 2, 5),
          rectangular_shapes({3, 4, 2, 4, 5, 3}),
          rectangular_shapes({2, 9, 5, 6, 2, 3}),
          rectangular_shapes({6, 2, 1, 3, 4, 4})};
}

template <class T>
void expect_algebra() {
  for (const std::vector<FactorShape>& shapes : awkward_shapes()) {
    const MonarchMatrix<T> matrix = random_matrix<T>(shapes, 3);
    const size_t rows = matrix.rows(), columns = matrix.columns();
    const std::vector<Complex> whole = expanded(matrix);
    EXPECT_LT(relative_error(dense(matrix), whole), kRounding);

    std::vector<Complex> transposed(whole.size());
    for (size_t i = 0; i < rows; ++i) {
      for (size_t j = 0; j < columns; ++j) {
        transposed[j * rows + i] = std::conj(whole[i * columns + j]);
      }
    }
    EXPECT_LT(relative_error(dense(adjoint(matrix)), transposed), kRounding);
  }
}

TEST(MonarchMatrix, DenseAndAdjointAreThoseOfTheDefinition) {
  expect_algebra<double>();
  expect_algebra<Complex>();
}

// P L P R with permutations and block-diagonal matrices, all dense.
TEST(MonarchMatrix, OrderTwoIsPLPR) {
  for (const auto& [rows, columns] : {std::pair<size_t, size_t>{4, 4}, {3, 5}, {1, 6}, {7, 2}}) {
    const size_t points = rows * columns;
    const MonarchMatrix<double> matrix =
        random_matrix<double>(monarch_shapes(Sizes{rows, columns}), 5);
    const auto block_diagonal = [&](const MonarchFactor<double>& factor) {
      MonarchFactor<double> plain({factor.shape.blocks(), factor.shape.in, factor.shape.out, 1});
      plain.weight = factor.weight;
      return dense_factor(plain);
    };
    const auto permutation_matrix = [&](const Permutation& permutation) {
      std::vector<Complex> result(points * points);
      for (size_t i = 0; i < points; ++i) result[i * points + permutation[i]] = 1;
      return result;
    };
    const auto times = [&](const auto& a, const auto& b) {
      return dense_product(points, points, points, a, b);
    };
    const auto to_blocks = permutation_matrix(transpose_permutation(rows, columns));
    const auto back = permutation_matrix(transpose_permutation(columns, rows));
    const auto plpr = times(back, times(block_diagonal(matrix.factors()[1]),
                                        times(to_blocks, block_diagonal(matrix.factors()[0]))));
    EXPECT_LT(relative_error(dense(matrix), plpr), kRounding) << rows << "×" << columns;
  }
}

TEST(MonarchMatrix, RectangularIsTheTwoSums) {
  for (const RectangularSizes& n : {RectangularSizes{3, 4, 2, 4, 5, 3},
                                    {2, 9, 5, 6, 2, 3},
                                    {6, 2, 1, 3, 4, 4},
                                    {1, 6, 7, 3, 1, 2},
                                    {5, 1, 2, 5, 3, 1}}) {
    const MonarchMatrix<double> matrix = random_matrix<double>(rectangular_shapes(n), 7);
    const std::vector<double>& w1 = matrix.factors()[0].weight;  // [k][q][p]
    const std::vector<double>& w2 = matrix.factors()[1].weight;  // [l][s][r]
    std::vector<double> expected(matrix.rows() * matrix.columns());
    for (size_t column = 0; column < n.k * n.p; ++column) {
      std::vector<double> middle(n.k * n.q);
      const size_t k = column / n.p, p = column % n.p;
      for (size_t q = 0; q < n.q; ++q) middle[k * n.q + q] = w1[(k * n.q + q) * n.p + p];
      for (size_t s = 0; s < n.s; ++s) {
        for (size_t l = 0; l < n.l; ++l) {
          for (size_t r = 0; r < n.r; ++r) {
            expected[(s * n.l + l) * matrix.columns() + column] +=
                w2[(l * n.s + s) * n.r + r] * middle[r * n.l + l];
          }
        }
      }
    }
    EXPECT_LT(relative_error(dense(matrix), expected), kRounding);
  }
}

TEST(MonarchMatrix, AButterflyOfSumsAndDifferencesIsHadamards) {
  std::vector<MonarchFactor<double>> factors = zero_factors<double>(butterfly_shapes(16));
  for (MonarchFactor<double>& factor : factors) {
    for (size_t i = 0; i < factor.weight.size(); ++i) factor.weight[i] = i % 4 == 3 ? -1 : 1;
  }
  const std::vector<double> whole = dense(MonarchMatrix<double>(std::move(factors)));
  for (size_t i = 0; i < 16; ++i) {
    for (size_t j = 0; j < 16; ++j) {
      EXPECT_EQ(whole[i * 16 + j], std::popcount(i & j) % 2 == 0 ? 1 : -1);
    }
  }
}

template <class T>
void expect_inverse() {
  for (const Sizes& radices : {Sizes{1}, Sizes{3}, Sizes{4, 4}, Sizes{2, 3, 5}, Sizes{1, 7}}) {
    const MonarchMatrix<T> matrix = random_matrix<T>(monarch_shapes(radices), 11);
    const size_t points = matrix.rows();
    std::vector<Complex> identity(points * points);
    for (size_t i = 0; i < points; ++i) identity[i * points + i] = 1;
    // Random blocks this small have condition numbers of a few hundred.
    EXPECT_LT(relative_error(dense_product(points, points, points, expanded(inverse(matrix)),
                                           expanded(matrix)),
                             identity),
              1e-10);
  }
}

TEST(MonarchMatrix, TheInverseUndoes) {
  expect_inverse<double>();
  expect_inverse<Complex>();
}

TEST(MonarchMatrix, TheInverseExchangesRowsWhereItMust) {
  MonarchFactor<double> swap({1, 2, 2, 1});
  swap.weight = {0, 1, 1, 0};
  const MonarchMatrix<double> matrix({swap});
  EXPECT_EQ(dense(inverse(matrix)), swap.weight);
}

TEST(MonarchMatrix, WhatHasNoInverseIsRefused) {
  const MonarchMatrix<double> zero(zero_factors<double>(monarch_shapes(Sizes{2, 2})));
  EXPECT_EQ(error_of([&] { inverse(zero); }), "a block of the Monarch matrix is singular");
  const MonarchMatrix<double> flat(zero_factors<double>(low_rank_shapes(4, 2, 4)));
  EXPECT_EQ(error_of([&] { inverse(flat); }), "blocks of 4×2 have no inverse");
}

TEST(MonarchMatrix, FactorsThatDoNotFitAreRefused) {
  const std::vector<FactorShape> shapes = {{2, 3, 3, 1}, {1, 5, 5, 1}};
  EXPECT_EQ(error_of([&] { MonarchMatrix<float> matrix(zero_factors<float>(shapes)); }),
            "factor 2 of a Monarch matrix reads 5 numbers, factor 1 writes 6");
  EXPECT_EQ(error_of([] { MonarchMatrix<float> matrix({}); }),
            "a Monarch matrix needs one factor at least");
}

}  // namespace
}  // namespace m2
