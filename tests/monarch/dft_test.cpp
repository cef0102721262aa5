#include "monarch/dft.h"

#include <functional>
#include <numbers>
#include <numeric>

#include "monarch/permutation.h"
#include "monarch/product.h"
#include "monarch_test.h"

namespace m2 {
namespace {

using Sizes = std::vector<size_t>;

// In double, p factors of sums of at most some hundred terms: eps·√N each, with room.
constexpr double kBound = 1e-14;

const std::vector<Sizes>& all_radices() {
  static const std::vector<Sizes> radices = {
      {1},         {2},       {3},       {7},
      {131},       {1, 5},    {5, 1},    {2, 3},
      {3, 2},      {16, 16},  {7, 11},   {2, 2, 2},
      {2, 3, 5},   {5, 3, 2}, {1, 1, 1}, {2, 2, 2, 2, 2, 2, 2, 2},
      {4, 3, 2, 5}};
  return radices;
}

size_t points_of(const Sizes& radices) {
  return std::accumulate(radices.begin(), radices.end(), size_t{1}, std::multiplies<>());
}

// Σ_n x[n]·exp(sign·2πi·n·k/N) for each k.
std::vector<Complex> direct_sums(const std::vector<Complex>& x, double sign) {
  const size_t points = x.size();
  std::vector<Complex> result(points);
  for (size_t k = 0; k < points; ++k) {
    for (size_t n = 0; n < points; ++n) {
      const double angle = sign * 2 * std::numbers::pi * static_cast<double>(n * k % points) /
                           static_cast<double>(points);
      result[k] += x[n] * std::polar(1.0, angle);
    }
  }
  return result;
}

TEST(Dft, IsTheDftInDigitReversedOrder) {
  for (const Sizes& radices : all_radices()) {
    const std::vector<Complex> x = random_numbers<Complex>(points_of(radices), 1);
    const std::vector<Complex> y = multiply<Complex>(dft_matrix(radices), x);
    const std::vector<Complex> expected = direct_sums(x, -1);
    EXPECT_LT(relative_error(y, permute<Complex>(digit_reversal(radices), expected)), kBound);
  }
}

TEST(Dft, TheConjugateOrNoPermutationFails) {
  const Sizes radices = {3, 5};
  const std::vector<Complex> x = random_numbers<Complex>(15, 1);
  const std::vector<Complex> y = multiply<Complex>(dft_matrix(radices), x);
  EXPECT_GT(relative_error(y, permute<Complex>(digit_reversal(radices), direct_sums(x, 1))), 0.1);
  EXPECT_GT(relative_error(y, direct_sums(x, -1)), 0.1);
}

// F is symmetric, so (P·F)ᵀ·P is F; the adjoint gives its conjugate.
TEST(Dft, TheTransposeTakesPermutedPoints) {
  for (const Sizes& radices : all_radices()) {
    const std::vector<Complex> x = random_numbers<Complex>(points_of(radices), 2);
    const std::vector<Complex> permuted = permute<Complex>(digit_reversal(radices), x);
    EXPECT_LT(relative_error(multiply<Complex>(adjoint(dft_matrix(radices)), permuted),
                             direct_sums(x, 1)),
              kBound);
  }
}

TEST(Dft, HasOneFactorARadix) {
  const MonarchMatrix<Complex> matrix = dft_matrix(Sizes{4, 3, 5});
  EXPECT_EQ(matrix.order(), 3u);
  EXPECT_EQ(matrix.weights(), 60u * (4 + 3 + 5));
}

TEST(Dft, TheInverseIsThatOfDirectSums) {
  for (const Sizes& radices : all_radices()) {
    const std::vector<Complex> x = random_numbers<Complex>(points_of(radices), 3);
    const std::vector<Complex> frequencies =
        permute<Complex>(digit_reversal(radices), direct_sums(x, -1));
    EXPECT_LT(relative_error(multiply<Complex>(inverse_dft_matrix(radices), frequencies), x),
              kBound);
  }
}

TEST(Dft, InFloatItLosesFloatsRounding) {
  const Sizes radices = {16, 16};
  const std::vector<Complex> x = random_numbers<Complex>(256, 4);
  const std::vector<std::complex<float>> rounded(x.begin(), x.end());
  const std::vector<Complex> expected =
      permute<Complex>(digit_reversal(radices), direct_sums(x, -1));
  const double error = relative_error(
      multiply<std::complex<float>>(convert<std::complex<float>>(dft_matrix(radices)), rounded),
      expected);
  EXPECT_LT(error, 1e-6);  // 6e-8·√16 for each of two factors, twice that for complex products
  EXPECT_GT(error, 1e-9);
}

std::vector<Complex> direct_convolution(const std::vector<Complex>& kernel,
                                        const std::vector<Complex>& x) {
  const size_t points = x.size();
  std::vector<Complex> result(points);
  for (size_t t = 0; t < points; ++t) {
    for (size_t s = 0; s < points; ++s) result[t] += kernel[(t + points - s) % points] * x[s];
  }
  return result;
}

TEST(Convolution, CircularMatchesDirectSums) {
  for (const Sizes& radices : all_radices()) {
    std::vector<Complex> kernel = random_numbers<Complex>(points_of(radices), 5);
    const std::vector<Complex> x = random_numbers<Complex>(points_of(radices), 6);
    const std::vector<Complex> y = circular_convolution(radices, kernel, x);
    EXPECT_LT(relative_error(y, direct_convolution(kernel, x)), 3 * kBound);
    if (x.size() == 1) continue;
    std::rotate(kernel.begin(), kernel.begin() + 1, kernel.end());
    EXPECT_GT(relative_error(y, direct_convolution(kernel, x)), 0.1);
  }
}

TEST(Convolution, CausalMatchesDirectSums) {
  for (const size_t length : {1u, 2u, 3u, 7u, 127u, 128u, 129u}) {
    const std::vector<double> kernel = random_numbers<double>(length, 7);
    const std::vector<double> x = random_numbers<double>(length, 8);
    std::vector<double> expected(length);
    for (size_t t = 0; t < length; ++t) {
      for (size_t s = 0; s <= t; ++s) expected[t] += kernel[t - s] * x[s];
    }
    EXPECT_LT(relative_error(causal_convolution(kernel, x), expected), 3 * kBound) << length;
  }
}

}  // namespace
}  // namespace m2
