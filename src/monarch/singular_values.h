// The singular value decomposition of a small dense block.
#pragma once

#include <complex>
#include <cstddef>
#include <vector>

namespace m2 {

// A = Σ_i values[i]·left_i·right_iᴴ, largest value first, min(rows, columns) of them. The vectors
// have length 1 and stand on one another at right angles; those of a value of zero may be zeros.
template <class T>
struct SingularTriples {
  std::vector<double> values;
  std::vector<T> left;   // [value][rows]
  std::vector<T> right;  // [value][columns]
};

// By one-sided Jacobi rotations: pairs of columns are turned until all are orthogonal; their
// lengths are then the singular values. Equal values and zeros need no care; a value below 1e-154
// of the largest is rounding. T is double or std::complex<double>; `a` is [rows][columns].
// Error(kUsage) where it holds a number that is not finite.
template <class T>
SingularTriples<T> singular_triples(size_t rows, size_t columns, const std::vector<T>& a);

}  // namespace m2
