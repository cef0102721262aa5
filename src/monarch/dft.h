// The discrete Fourier transform and convolution as Monarch matrices.
//
// With N = Π radices, a point n = (n_1, …, n_p) and a frequency k = k_1 + r_1·k_2 + r_1·r_2·k_3 +
// …,
//   exp(−2πi·n·k/N) = exp(−2πi·n_1·k_1/r_1) · exp(−2πi·m·k_1/N) · exp(−2πi·m·k'/(N/r_1)),
// m and k' being the rest of n and of k: a small DFT along the first axis, twiddles, and the same
// again on the other axes. The twiddles go into the blocks, so p radices are p factors.
#pragma once

#include <complex>
#include <cstddef>
#include <span>
#include <vector>

#include "monarch/matrix.h"

namespace m2 {

// exp(−2πi·j/points) for each j below points.
std::vector<std::complex<double>> unit_roots(size_t points);

// y = dft_matrix(radices)·x holds frequency digit_reversal(radices)[i] at position i: with F the
// DFT and P that permutation it is P·F, and its transpose times P is F again, P L P R P at order 2.
MonarchMatrix<std::complex<double>> dft_matrix(std::span<const size_t> radices);

// The inverse of dft_matrix(radices): from frequencies in digit-reversed order to points in order,
// scaled by 1/N.
MonarchMatrix<std::complex<double>> inverse_dft_matrix(std::span<const size_t> radices);

// y[t] = Σ_s kernel[(t − s) mod N]·x[s], N = Π radices numbers each: the inverse DFT of the product
// of both DFTs. The product does not care in which order the frequencies lie, so no permutation is
// left.
std::vector<std::complex<double>> circular_convolution(std::span<const size_t> radices,
                                                       std::span<const std::complex<double>> kernel,
                                                       std::span<const std::complex<double>> x);

// y[t] = Σ_{s<=t} kernel[t − s]·x[s], for as many t as there are x, as one of kernel: a circular
// convolution of at least twice the length, padded with zeros, at order 2.
std::vector<double> causal_convolution(std::span<const double> kernel, std::span<const double> x);

}  // namespace m2
