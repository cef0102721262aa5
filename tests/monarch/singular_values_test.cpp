#include "monarch/singular_values.h"

#include <limits>

#include "monarch/dft.h"
#include "monarch_test.h"

namespace m2 {
namespace {

constexpr double kBound = 1e-13;

// Reassembles the matrix, and checks that values fall and vectors are orthonormal up to `rank`.
template <class T>
void expect_decomposition(size_t rows, size_t columns, const std::vector<T>& a, size_t rank) {
  const SingularTriples<T> triples = singular_triples(rows, columns, a);
  const size_t count = std::min(rows, columns);
  ASSERT_EQ(triples.values.size(), count);
  std::vector<Complex> whole(rows * columns);
  for (size_t i = 0; i < count; ++i) {
    for (size_t r = 0; r < rows; ++r) {
      for (size_t c = 0; c < columns; ++c) {
        whole[r * columns + c] += triples.values[i] * Complex(triples.left[i * rows + r]) *
                                  std::conj(Complex(triples.right[i * columns + c]));
      }
    }
    EXPECT_LE(triples.values[i], triples.values[i == 0 ? 0 : i - 1]);
  }
  EXPECT_LT(relative_error(whole, a), kBound) << rows << "×" << columns;
  for (size_t i = 0; i < rank; ++i) {
    for (size_t j = 0; j <= i; ++j) {
      Complex left{0}, right{0};
      for (size_t r = 0; r < rows; ++r) {
        left +=
            std::conj(Complex(triples.left[j * rows + r])) * Complex(triples.left[i * rows + r]);
      }
      for (size_t c = 0; c < columns; ++c) {
        right += std::conj(Complex(triples.right[j * columns + c])) *
                 Complex(triples.right[i * columns + c]);
      }
      const double expected = i == j ? 1 : 0;
      EXPECT_LT(std::abs(left - expected), kBound);
      EXPECT_LT(std::abs(right - expected), kBound);
    }
  }
}

template <class T>
void expect_random_blocks() {
  for (const auto& [rows, columns] : {std::pair<size_t, size_t>{1, 1},
                                      {1, 5},
                                      {5, 1},
                                      {2, 2},
                                      {3, 3},
                                      {7, 4},
                                      {4, 7},
                                      {31, 17},
                                      {2, 64},
                                      {33, 33}}) {
    expect_decomposition(rows, columns, random_numbers<T>(rows * columns, 1),
                         std::min(rows, columns));
  }
}

TEST(SingularTriples, TakeRandomBlocksApart) {
  expect_random_blocks<double>();
  expect_random_blocks<Complex>();
}

TEST(SingularTriples, KnowRankOne) {
  const std::vector<Complex> u = random_numbers<Complex>(6, 2), v = random_numbers<Complex>(9, 3);
  const std::vector<Complex> outer = dense_product(6, 1, 9, u, v);
  expect_decomposition(6, 9, outer, 1);
  const std::vector<double> values = singular_triples(6, 9, outer).values;
  double squares_u = 0, squares_v = 0;
  for (const Complex& value : u) squares_u += std::norm(value);
  for (const Complex& value : v) squares_v += std::norm(value);
  EXPECT_NEAR(values[0], std::sqrt(squares_u * squares_v), kBound * values[0]);
  EXPECT_LT(values[1], kBound * values[0]);
}

TEST(SingularTriples, TakeZerosAndRepeatedValues) {
  const SingularTriples<double> none = singular_triples<double>(2, 3, std::vector<double>(6));
  EXPECT_EQ(none.values, (std::vector<double>{0, 0}));
  const std::vector<double> twice = {0, 2, 0, -2, 0, 0, 0, 0, 2};
  EXPECT_EQ(singular_triples(3, 3, twice).values, (std::vector<double>{2, 2, 2}));
  expect_decomposition(3, 3, twice, 3);
  // The DFT's values are all √N.
  const std::vector<Complex> fourier = dense(dft_matrix(std::vector<size_t>{12}));
  expect_decomposition(12, 12, fourier, 12);
  for (const double value : singular_triples(12, 12, fourier).values) {
    EXPECT_NEAR(value, std::sqrt(12.0), kBound);
  }
}

TEST(SingularTriples, TakeEveryScale) {
  const std::vector<Complex> a = random_numbers<Complex>(20, 4);
  const std::vector<double> expected = singular_triples(5, 4, a).values;
  for (const int exponent : {-1020, -600, 600, 1020}) {
    std::vector<Complex> scaled = a;
    for (Complex& value : scaled) value *= std::ldexp(1.0, exponent);
    std::vector<double> values = singular_triples(5, 4, scaled).values;
    for (size_t i = 0; i < values.size(); ++i) {
      EXPECT_NEAR(std::ldexp(values[i], -exponent), expected[i], kBound * expected[0]) << exponent;
    }
  }
  // Columns whose squares vanish beside the first end the rotations too.
  std::vector<double> graded = random_numbers<double>(16, 5);
  for (size_t i = 0; i < graded.size(); ++i) graded[i] *= i % 4 == 0 ? 1 : 1e-200;
  EXPECT_GT(singular_triples(4, 4, graded).values[0], 0);
}

TEST(SingularTriples, RefuseWhatIsNotFinite) {
  for (const double bad :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    EXPECT_EQ(error_of([&] { singular_triples<double>(1, 2, {1, bad}); }),
              "a matrix with a number that is not finite has no singular values");
  }
}

}  // namespace
}  // namespace m2
