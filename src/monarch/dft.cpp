#include "monarch/dft.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <numbers>
#include <numeric>

#include "core/error.h"
#include "monarch/product.h"

namespace m2 {
namespace {

using Complex = std::complex<double>;

size_t product_of(std::span<const size_t> radices) {
  return std::accumulate(radices.begin(), radices.end(), size_t{1}, std::multiplies<>());
}

}  // namespace

std::vector<Complex> unit_roots(size_t points) {
  std::vector<Complex> roots;
  roots.reserve(points);
  for (size_t j = 0; j < points; ++j) {
    const double angle =
        -2 * std::numbers::pi * static_cast<double>(j) / static_cast<double>(points);
    roots.emplace_back(std::cos(angle), std::sin(angle));
  }
  return roots;
}

MonarchMatrix<Complex> dft_matrix(std::span<const size_t> radices) {
  std::vector<MonarchFactor<Complex>> factors;
  size_t outer = 1, span = product_of(radices);
  for (const size_t radix : radices) {
    const size_t inner = span / radix;
    MonarchFactor<Complex> factor({outer, radix, radix, inner});
    // Small DFT and twiddle in one: n_1·k_1/radix + m·k_1/span = k_1·(m + inner·n_1)/span.
    const std::vector<Complex> roots = unit_roots(span);
    for (size_t a = 0; a < outer; ++a) {
      for (size_t m = 0; m < inner; ++m) {
        Complex* block = factor.block(a, m);
        for (size_t k = 0; k < radix; ++k) {
          for (size_t n = 0; n < radix; ++n)
            block[k * radix + n] = roots[k * (m + inner * n) % span];
        }
      }
    }
    factors.push_back(std::move(factor));
    outer *= radix;
    span = inner;
  }
  return MonarchMatrix<Complex>(std::move(factors));
}

MonarchMatrix<Complex> inverse_dft_matrix(std::span<const size_t> radices) {
  // (P·F)⁻¹ = F⁻¹·Pᵀ = conj(F)·Pᵀ/N, and F is symmetric: the adjoint of P·F, over N.
  std::vector<MonarchFactor<Complex>> factors = adjoint(dft_matrix(radices)).factors();
  const double scale = 1.0 / static_cast<double>(product_of(radices));
  for (Complex& weight : factors.front().weight) weight *= scale;
  return MonarchMatrix<Complex>(std::move(factors));
}

std::vector<Complex> circular_convolution(std::span<const size_t> radices,
                                          std::span<const Complex> kernel,
                                          std::span<const Complex> x) {
  const MonarchMatrix<Complex> forward = dft_matrix(radices);
  std::vector<Complex> product = multiply(forward, x);
  const std::vector<Complex> spectrum = multiply(forward, kernel);
  for (size_t i = 0; i < product.size(); ++i) product[i] *= spectrum[i];
  return multiply<Complex>(inverse_dft_matrix(radices), product);
}

std::vector<double> causal_convolution(std::span<const double> kernel, std::span<const double> x) {
  M2_CHECK(kernel.size() == x.size());
  const size_t points = std::bit_ceil(2 * x.size());
  const auto padded = [&](std::span<const double> values) {
    std::vector<Complex> result(points);
    std::copy(values.begin(), values.end(), result.begin());
    return result;
  };
  const std::vector<Complex> whole =
      circular_convolution(balanced_radices(points, 2), padded(kernel), padded(x));
  std::vector<double> y;
  for (size_t t = 0; t < x.size(); ++t) y.push_back(whole[t].real());
  return y;
}

}  // namespace m2
