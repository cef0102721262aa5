// The Monarch matrix of order 2 that is nearest to a dense matrix, in the Frobenius norm.
//
// Two factors pass through middle numbers j, each written by one block of the first and read by one
// block of the second. A block of the first reads a set of columns, a block of the second writes a
// set of rows; each pair of blocks thus owns the entries where its rows cross its columns, no entry
// has two owners, and what stands there is Σ_j (column of the second's weights)·(row of the
// first's) over the j that the pair shares: any matrix of rank at most their number, and no weight
// belongs to two pairs. So each pair is by itself, and by Eckart and Young its nearest is its
// leading singular triples. In the square form every pair shares one j: rank 1.
#pragma once

#include <complex>
#include <vector>

#include "monarch/matrix.h"

namespace m2 {

template <class T>
struct Projection {
  MonarchMatrix<T> matrix;
  double distance;  // ‖dense − matrix‖, Frobenius
};

// `dense` is [second.rows()][first.columns()]; `first` acts first. Each singular value is shared
// between the factors by its square root. T is double or std::complex<double>. Error(kUsage) where
// the shapes do not fit together or a number is not finite.
template <class T>
Projection<T> project(const std::vector<T>& dense, const FactorShape& first,
                      const FactorShape& second);

}  // namespace m2
