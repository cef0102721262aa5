#include "monarch/product.h"

#include <cstring>

#include "monarch_test.h"

namespace m2 {
namespace {

using Sizes = std::vector<size_t>;

template <class T>
std::vector<T> run(const MonarchMatrix<T>& matrix, size_t columns, const std::vector<T>& x,
                   int threads) {
  ThreadPool pool(threads);
  ProductWorkspace<T> workspace;
  std::vector<T> y(matrix.rows() * columns);
  multiply(matrix, columns, x.data(), y.data(), pool, workspace);
  return y;
}

// Few large blocks, many small ones, one, fibres that are gathered and that are not.
std::vector<std::vector<FactorShape>> awkward_shapes() {
  return {monarch_shapes(Sizes{1}),
          monarch_shapes(Sizes{3}),
          monarch_shapes(Sizes{131}),
          monarch_shapes(Sizes{16, 16}),
          monarch_shapes(Sizes{127, 2}),
          monarch_shapes(Sizes{2, 127}),
          monarch_shapes(Sizes{7, 5, 3}),
          butterfly_shapes(64),
          low_rank_shapes(150, 3, 90),
          low_rank_shapes(3, 150, 1),
          rectangular_shapes({6, 35, 4, 15, 67, 14})};
}

template <class T>
void expect_products(double eps) {
  for (const std::vector<FactorShape>& shapes : awkward_shapes()) {
    const MonarchMatrix<T> matrix = random_matrix<T>(shapes, 1);
    // A sum of n rounded products is off by about eps·√n of its size, each factor anew; thrice
    // that.
    double bound = 0;
    for (const FactorShape& shape : shapes) {
      bound += 3 * eps * (1 + std::sqrt(static_cast<double>(shape.in)));
    }
    const std::vector<Complex> whole = expanded(matrix);
    for (const size_t columns : {1u, 2u, 17u}) {
      const std::vector<T> x = random_numbers<T>(matrix.columns() * columns, 2);
      const std::vector<Complex> expected =
          dense_product(matrix.rows(), matrix.columns(), columns, whole, x);
      EXPECT_LT(relative_error(run(matrix, columns, x, 1), expected), bound);
      EXPECT_LT(relative_error(multiply<T>(matrix, x, columns), expected), bound);
    }
  }
}

TEST(MonarchProduct, MatchesTheDenseMatrix) {
  expect_products<float>(6e-8);
  expect_products<double>(1.2e-16);
  // A complex product is four real ones: twice the rounding.
  expect_products<std::complex<float>>(1.2e-7);
  expect_products<Complex>(2.4e-16);
}

TEST(MonarchProduct, OneWeightChangedIsSeen) {
  const std::vector<FactorShape> shapes = monarch_shapes(Sizes{16, 16});
  const MonarchMatrix<float> matrix = random_matrix<float>(shapes, 1);
  std::vector<MonarchFactor<float>> factors = matrix.factors();
  factors[1].weight[777] += 1;
  const std::vector<float> x = random_numbers<float>(256, 2);
  EXPECT_GT(relative_error(multiply<float>(MonarchMatrix<float>(std::move(factors)), x),
                           dense_product(256, 256, 1, expanded(matrix), x)),
            1e-4);
}

TEST(MonarchProduct, ThreadsAndNeighboursChangeNoBit) {
  constexpr size_t kColumns = 13;
  for (const std::vector<FactorShape>& shapes : awkward_shapes()) {
    const MonarchMatrix<float> matrix = random_matrix<float>(shapes, 3);
    const std::vector<float> x = random_numbers<float>(matrix.columns() * kColumns, 4);
    const std::vector<float> alone = run(matrix, kColumns, x, 1);
    for (const int threads : {2, 3, 5}) EXPECT_EQ(run(matrix, kColumns, x, threads), alone);
    std::vector<float> first_column;
    for (size_t i = 0; i < matrix.columns(); ++i) first_column.push_back(x[i * kColumns]);
    const std::vector<float> one = run(matrix, 1, first_column, 1);
    for (size_t i = 0; i < matrix.rows(); ++i) EXPECT_EQ(one[i], alone[i * kColumns]);
  }
}

TEST(MonarchProduct, AWorkspaceServesAnyMatrix) {
  ThreadPool pool(2);
  ProductWorkspace<float> workspace;
  for (const std::vector<FactorShape>& shapes : awkward_shapes()) {
    const MonarchMatrix<float> matrix = random_matrix<float>(shapes, 5);
    const std::vector<float> x = random_numbers<float>(matrix.columns() * 3, 6);
    std::vector<float> y(matrix.rows() * 3);
    multiply(matrix, 3, x.data(), y.data(), pool, workspace);
    EXPECT_EQ(y, run(matrix, 3, x, 1));
  }
}

}  // namespace
}  // namespace m2
