#include "monarch/projection.h"

#include "monarch/dft.h"
#include "monarch/permutation.h"
#include "monarch_test.h"

namespace m2 {
namespace {

using Sizes = std::vector<size_t>;

double norm_of(const std::vector<Complex>& a) {
  double sum = 0;
  for (const Complex& value : a) sum += std::norm(value);
  return std::sqrt(sum);
}

template <class T>
double distance_between(const std::vector<T>& a, const MonarchMatrix<T>& matrix) {
  std::vector<Complex> difference = expanded(matrix);
  for (size_t i = 0; i < a.size(); ++i) difference[i] -= Complex(a[i]);
  return norm_of(difference);
}

std::vector<std::vector<FactorShape>> awkward_shapes() {
  return {monarch_shapes(Sizes{1, 1}),
          monarch_shapes(Sizes{2, 1}),
          monarch_shapes(Sizes{1, 3}),
          monarch_shapes(Sizes{4, 4}),
          monarch_shapes(Sizes{3, 5}),
          low_rank_shapes(7, 2, 5),
          rectangular_shapes({3, 4, 2, 4, 5, 3}),  // one middle number a pair
          rectangular_shapes({2, 9, 5, 3, 4, 6}),  // three a pair
          rectangular_shapes({6, 2, 3, 4, 5, 3}),  // none, or one
          rectangular_shapes({2, 6, 5, 4, 5, 3}),  // one or two
          {{2, 3, 4, 5}, {4, 5, 3, 2}}};           // both factors strided
}

template <class T>
void expect_members_come_back() {
  for (const std::vector<FactorShape>& shapes : awkward_shapes()) {
    const MonarchMatrix<T> member = random_matrix<T>(shapes, 1);
    const std::vector<T> whole = dense(member);
    const Projection<T> projection = project(whole, shapes[0], shapes[1]);
    EXPECT_LT(relative_error(expanded(projection.matrix), whole), 1e-13);
    EXPECT_LT(projection.distance, 1e-13 * norm_of(expanded(member)));
  }
}

TEST(Projection, LeavesAMonarchMatrixAsItIs) {
  expect_members_come_back<double>();
  expect_members_come_back<Complex>();
}

// At the nearest point no factor can be improved while the other stands, and no other start that
// alternates such improvements gets nearer. Each improvement is a small least-squares problem, here
// by its normal equations, one middle number at a time.
double improve(const std::vector<Complex>& target, std::vector<MonarchFactor<double>>& factors) {
  const MonarchMatrix<double> start(factors);
  std::vector<Complex> residual = expanded(start);
  for (size_t i = 0; i < residual.size(); ++i) residual[i] = target[i] - residual[i];
  const FactorShape first = factors[0].shape, second = factors[1].shape;
  const size_t rows = second.rows(), columns = first.columns();
  for (size_t j = 0; j < first.rows(); ++j) {
    std::vector<Complex> left(rows), right(columns);
    const std::vector<Complex> whole_first = dense_factor(factors[0]);
    const std::vector<Complex> whole_second = dense_factor(factors[1]);
    for (size_t i = 0; i < rows; ++i) left[i] = whole_second[i * first.rows() + j];
    for (size_t i = 0; i < columns; ++i) right[i] = whole_first[j * columns + i];
    double squares = 0;
    for (const Complex& value : left) squares += std::norm(value);
    // The row of the first factor that fits best, over the columns that its block reads.
    const size_t writer = j / (first.out * first.inner), inner = j % first.inner;
    const size_t row_in_block = j / first.inner % first.out;
    for (size_t r = 0; r < first.in; ++r) {
      const size_t column = (writer * first.in + r) * first.inner + inner;
      Complex change{0};
      for (size_t i = 0; i < rows; ++i) change += left[i] * residual[i * columns + column];
      change /= squares;
      factors[0].block(writer, inner)[row_in_block * first.in + r] += change.real();
      for (size_t i = 0; i < rows; ++i) residual[i * columns + column] -= left[i] * change;
    }
  }
  return norm_of(residual);
}

std::vector<Complex> transposed(const std::vector<Complex>& a, size_t rows, size_t columns) {
  std::vector<Complex> result(a.size());
  for (size_t i = 0; i < rows; ++i) {
    for (size_t j = 0; j < columns; ++j) result[j * rows + i] = a[i * columns + j];
  }
  return result;
}

TEST(Projection, AlternatingLeastSquaresGetsNoNearer) {
  for (const std::vector<FactorShape>& shapes :
       {monarch_shapes(Sizes{3, 4}), rectangular_shapes({2, 9, 5, 3, 4, 6})}) {
    const size_t rows = shapes[1].rows(), columns = shapes[0].columns();
    const std::vector<double> a = random_numbers<double>(rows * columns, 2);
    const std::vector<Complex> target(a.begin(), a.end());
    const Projection<double> projection = project(a, shapes[0], shapes[1]);
    EXPECT_NEAR(projection.distance, distance_between(a, projection.matrix),
                1e-12 * projection.distance);
    MonarchMatrix<double> other = random_matrix<double>(shapes, 3);
    double distance = 0;
    for (int round = 0; round < 200; ++round) {
      std::vector<MonarchFactor<double>> factors = other.factors();
      improve(target, factors);
      factors = adjoint(MonarchMatrix<double>(std::move(factors))).factors();
      distance = improve(transposed(target, rows, columns), factors);
      other = adjoint(MonarchMatrix<double>(std::move(factors)));
    }
    EXPECT_GT(distance, projection.distance * (1 - 1e-12));
    EXPECT_LT(distance, projection.distance * 1.05);  // and the two are about the same thing
  }
}

// The permuted DFT is a Monarch matrix; the DFT in its own order is not.
TEST(Projection, FindsTheDftsFactors) {
  const Sizes radices = {4, 3};
  const std::vector<FactorShape> shapes = monarch_shapes(radices);
  const std::vector<Complex> permuted = dense(adjoint(dft_matrix(radices)));
  EXPECT_LT(project(permuted, shapes[0], shapes[1]).distance, 1e-13);
  const std::vector<Complex> plain = dense(dft_matrix(Sizes{12}));
  EXPECT_GT(project(plain, shapes[0], shapes[1]).distance, 1);
}

TEST(Projection, TakesZerosAndNothingElseBad) {
  const std::vector<FactorShape> shapes = monarch_shapes(Sizes{2, 3});
  const Projection<double> zero = project(std::vector<double>(36), shapes[0], shapes[1]);
  EXPECT_EQ(zero.distance, 0);
  EXPECT_EQ(dense(zero.matrix), std::vector<double>(36));
  EXPECT_EQ(error_of([&] { project(std::vector<double>(35), shapes[0], shapes[1]); }),
            "the matrix to project has 35 numbers, the factors are 6×6");
  EXPECT_EQ(error_of([&] { project(std::vector<double>(36), shapes[0], {1, 5, 5, 1}); }),
            "the second factor reads 5 numbers, the first writes 6");
}

}  // namespace
}  // namespace m2
