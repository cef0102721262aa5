// The causal form of order 2: a convolution-like map u ↦ M0⁻¹(M1·k ⊙ M2·u) of N = b² points that
// is lower triangular, whatever its weights, as long as their degrees keep to bounds.
//
// With ω = exp(−2πi/N), column e = j1 + b·j0 of each matrix holds the values at ω^0 … ω^(N−1) of
//   q_e(Z) = ℓ_{j1}(Z) · r_{j1,j0}(Z^b),   ℓ_{j1} of degrees j1 … b−1, r_{j1,j0} of j0 … b−1,
// so that Z^e divides q_e and every degree is below N. ⊙ multiplies polynomials modulo Z^N − 1.
// Data and kernel sit in the columns j0 < ⌊b/2⌋, where r stays below degree ⌊b/2⌋: the product of
// two then has degree 2(b−1) + 2b(⌊b/2⌋−1) <= N−2, so nothing wraps round; q_e·q_f is divisible by
// Z^(e+f), and M0⁻¹ expands it in its own q_g with g >= e + f only. Without the bound it leaks.
//
// As a Monarch matrix: the block j1 of the first factor is DFT_b times the coefficients of
// r_{j1,·}; the block i0 of the second the Vandermonde matrix at ω^(b·i1+i0), i1 = 0 … b−1, times
// those of ℓ.
#pragma once

#include <complex>
#include <cstddef>
#include <span>
#include <vector>

#include "monarch/matrix.h"

namespace m2 {

// Coefficients of one of the three matrices, from degree 0 up.
struct CausalCoefficients {
  size_t base = 0;                 // b
  std::vector<double> polynomial;  // ℓ [j1][degree], b of each
  std::vector<double> of_power;    // r [j1][j0][degree of Z^b], b of each

  // Zeros.
  explicit CausalCoefficients(size_t b) : base(b), polynomial(b * b), of_power(b * b * b) {}
  // ℓ_{j1} = Z^j1, r_{j1,j0} = Z^(b·j0): the map is the plain causal convolution.
  static CausalCoefficients identity(size_t b);

  double& l(size_t j1, size_t degree) { return polynomial[j1 * base + degree]; }
  double& r(size_t j1, size_t j0, size_t degree) {
    return of_power[(j1 * base + j0) * base + degree];
  }
  double l(size_t j1, size_t degree) const { return polynomial[j1 * base + degree]; }
  double r(size_t j1, size_t j0, size_t degree) const {
    return of_power[(j1 * base + j0) * base + degree];
  }
};

// Numbers of data: b·⌊b/2⌋, the first of the N.
size_t causal_data(size_t base);

// The matrix of these coefficients. It reads column e at position e; the value at ω^(i0 + b·i1) is
// at position b·i0 + i1, digit-reversed. The degrees are not checked.
MonarchMatrix<std::complex<double>> values_matrix(const CausalCoefficients& coefficients);

// Error(kUsage) that names the coefficient where the degrees or the leading coefficients (of the
// lowest degrees, j1 and j0: they are 1) break the conditions above. `holds_data`: of M1 and M2,
// whose data columns keep to the bound ⌊b/2⌋; M0 need not.
void check_degrees(const CausalCoefficients& coefficients, bool holds_data);

// u ↦ the data of M0⁻¹(M1·k ⊙ M2·u).
class CausalMonarch {
 public:
  // One base b >= 2; Error(kUsage) where check_degrees finds fault.
  CausalMonarch(const CausalCoefficients& m0, const CausalCoefficients& m1,
                const CausalCoefficients& m2);
  // `kernel` and `u` are causal_data(b) numbers, as is the result.
  std::vector<double> apply(std::span<const double> kernel, std::span<const double> u) const;

 private:
  size_t data_;
  MonarchMatrix<std::complex<double>> inverse_of_m0_, m1_, m2_;
};

}  // namespace m2
