#include "monarch/causal.h"

#include "monarch/permutation.h"
#include "monarch/product.h"
#include "monarch_test.h"

namespace m2 {
namespace {

// Random coefficients within the conditions. They are small: M0⁻¹ amplifies rounding with them.
CausalCoefficients random_coefficients(size_t b, bool holds_data, uint64_t seed) {
  Random random(seed, "causal test");
  CausalCoefficients coefficients = CausalCoefficients::identity(b);
  for (size_t j1 = 0; j1 < b; ++j1) {
    for (size_t degree = j1 + 1; degree < b; ++degree) {
      coefficients.l(j1, degree) = 0.3 * random.normal();
    }
    for (size_t j0 = 0; j0 < b; ++j0) {
      const size_t bound = holds_data && j0 < b / 2 ? b / 2 : b;
      for (size_t degree = j0 + 1; degree < bound; ++degree) {
        coefficients.r(j1, j0, degree) = 0.3 * random.normal();
      }
    }
  }
  return coefficients;
}

// Coefficients of q_e = ℓ_{j1}(Z)·r_{j1,j0}(Z^b), degree 0 to 2N.
std::vector<double> column_polynomial(const CausalCoefficients& coefficients, size_t e) {
  const size_t b = coefficients.base, j1 = e % b, j0 = e / b;
  std::vector<double> polynomial(2 * b * b);
  for (size_t low = 0; low < b; ++low) {
    for (size_t high = 0; high < b; ++high) {
      polynomial[low + b * high] += coefficients.l(j1, low) * coefficients.r(j1, j0, high);
    }
  }
  return polynomial;
}

// The map by polynomials' coefficients: multiply, then take off q_g of M0, lowest degree first.
std::vector<double> by_polynomials(const CausalCoefficients& m0, const CausalCoefficients& m1,
                                   const CausalCoefficients& m2, const std::vector<double>& kernel,
                                   const std::vector<double>& u) {
  const size_t points = m0.base * m0.base;
  const auto polynomial_of = [&](const CausalCoefficients& m, const std::vector<double>& data) {
    std::vector<double> sum(2 * points);
    for (size_t e = 0; e < data.size(); ++e) {
      const std::vector<double> column = column_polynomial(m, e);
      for (size_t degree = 0; degree < points; ++degree) sum[degree] += data[e] * column[degree];
    }
    return sum;
  };
  const std::vector<double> a = polynomial_of(m1, kernel), c = polynomial_of(m2, u);
  std::vector<double> rest(4 * points);
  for (size_t i = 0; i < points; ++i) {
    for (size_t j = 0; j < points; ++j) rest[i + j] += a[i] * c[j];
  }
  std::vector<double> result;
  for (size_t e = 0; e < points; ++e) {
    const double amount = rest[e];  // q_e starts with 1·Z^e
    const std::vector<double> column = column_polynomial(m0, e);
    for (size_t degree = 0; degree < points; ++degree) rest[degree] -= amount * column[degree];
    if (e < u.size()) result.push_back(amount);
  }
  return result;
}

// The map without any check, as a matrix [data][data] for this kernel.
std::vector<double> map_matrix(const CausalCoefficients& m0, const CausalCoefficients& m1,
                               const CausalCoefficients& m2, const std::vector<double>& kernel) {
  const size_t points = m0.base * m0.base, data = kernel.size();
  std::vector<Complex> padded(points);
  std::copy(kernel.begin(), kernel.end(), padded.begin());
  const std::vector<Complex> kernel_values = multiply<Complex>(values_matrix(m1), padded);
  std::vector<double> matrix(data * data);
  for (size_t column = 0; column < data; ++column) {
    std::vector<Complex> unit(points);
    unit[column] = 1;
    std::vector<Complex> product = multiply<Complex>(values_matrix(m2), unit);
    for (size_t i = 0; i < points; ++i) product[i] *= kernel_values[i];
    const std::vector<Complex> result = multiply<Complex>(inverse(values_matrix(m0)), product);
    for (size_t row = 0; row < data; ++row) matrix[row * data + column] = result[row].real();
  }
  return matrix;
}

double largest_above_diagonal(const std::vector<double>& matrix, size_t size) {
  double largest = 0;
  for (size_t row = 0; row < size; ++row) {
    for (size_t column = row + 1; column < size; ++column) {
      largest = std::max(largest, std::abs(matrix[row * size + column]));
    }
  }
  return largest;
}

// Rounding of 1e-16 times the condition of M0's blocks, which these coefficients keep below 1e5.
constexpr double kBound = 1e-10;

TEST(CausalForm, TheMatrixHoldsThePolynomialsValues) {
  for (const size_t b : {1u, 2u, 3u, 5u, 6u}) {
    const CausalCoefficients coefficients = random_coefficients(b, false, 1);
    const size_t points = b * b;
    const std::vector<size_t> order = digit_reversal(std::vector<size_t>{b, b});
    std::vector<Complex> expected(points * points);
    for (size_t position = 0; position < points; ++position) {
      const double angle =
          -2 * std::acos(-1.0) * static_cast<double>(order[position]) / static_cast<double>(points);
      for (size_t e = 0; e < points; ++e) {
        const std::vector<double> polynomial = column_polynomial(coefficients, e);
        for (size_t degree = 0; degree < points; ++degree) {
          expected[position * points + e] +=
              polynomial[degree] * std::polar(1.0, angle * static_cast<double>(degree));
        }
      }
    }
    EXPECT_LT(relative_error(dense(values_matrix(coefficients)), expected), 1e-13) << b;
  }
}

TEST(CausalForm, IsTheMapOfThePolynomials) {
  for (const size_t b : {2u, 3u, 4u, 5u, 7u, 8u}) {
    const CausalCoefficients m0 = random_coefficients(b, false, 1);
    const CausalCoefficients m1 = random_coefficients(b, true, 2);
    const CausalCoefficients m2 = random_coefficients(b, true, 3);
    const std::vector<double> kernel = random_numbers<double>(causal_data(b), 4);
    const std::vector<double> u = random_numbers<double>(causal_data(b), 5);
    EXPECT_LT(relative_error(CausalMonarch(m0, m1, m2).apply(kernel, u),
                             by_polynomials(m0, m1, m2, kernel, u)),
              kBound)
        << b;
  }
}

TEST(CausalForm, IsLowerTriangular) {
  for (const size_t b : {2u, 3u, 4u, 5u, 8u}) {
    const size_t data = causal_data(b);
    const std::vector<double> kernel = random_numbers<double>(data, 4);
    const std::vector<double> matrix =
        map_matrix(random_coefficients(b, false, 1), random_coefficients(b, true, 2),
                   random_coefficients(b, true, 3), kernel);
    EXPECT_LT(largest_above_diagonal(matrix, data), kBound) << b;
    EXPECT_GT(std::abs(matrix[data * data - 1]), 1e-3) << b;
  }
}

TEST(CausalForm, LeaksWithoutTheBound) {
  for (const size_t b : {4u, 5u, 8u}) {
    const std::vector<double> kernel = random_numbers<double>(causal_data(b), 4);
    const std::vector<double> matrix =
        map_matrix(random_coefficients(b, false, 1), random_coefficients(b, false, 2),
                   random_coefficients(b, false, 3), kernel);
    EXPECT_GT(largest_above_diagonal(matrix, causal_data(b)), 1e-3) << b;
  }
}

TEST(CausalForm, IdentityIsThePlainConvolution) {
  for (const size_t b : {2u, 3u, 8u, 11u}) {
    const CausalCoefficients identity = CausalCoefficients::identity(b);
    const size_t data = causal_data(b);
    const std::vector<double> kernel = random_numbers<double>(data, 6);
    const std::vector<double> u = random_numbers<double>(data, 7);
    std::vector<double> expected(data);
    for (size_t t = 0; t < data; ++t) {
      for (size_t s = 0; s <= t; ++s) expected[t] += kernel[t - s] * u[s];
    }
    EXPECT_LT(
        relative_error(CausalMonarch(identity, identity, identity).apply(kernel, u), expected),
        1e-12)
        << b;
  }
}

TEST(CausalForm, NamesTheCoefficientThatBreaksACondition) {
  const CausalCoefficients good = random_coefficients(4, true, 1);
  check_degrees(good, true);
  CausalCoefficients bad = good;
  bad.r(1, 0, 2) = 0.5;
  check_degrees(bad, false);
  EXPECT_EQ(error_of([&] { check_degrees(bad, true); }),
            "no causal Monarch matrix: coefficient r[1][0][2] is 0.5, from degree 2 on it is 0");
  EXPECT_EQ(error_of([&] { CausalMonarch(good, bad, good); }),
            error_of([&] { check_degrees(bad, true); }));
  bad = good;
  bad.l(2, 1) = -1;
  EXPECT_EQ(error_of([&] { check_degrees(bad, false); }),
            "no causal Monarch matrix: coefficient l[2][1] is -1, below degree 2 it is 0");
  bad = good;
  bad.r(3, 3, 3) = 0;
  EXPECT_EQ(error_of([&] { check_degrees(bad, false); }),
            "no causal Monarch matrix: coefficient r[3][3][3] is 0, the leading one is 1");
}

}  // namespace
}  // namespace m2
