// The permutations between a Monarch matrix's factors. A permutation is the list of its sources:
// (P·x)[i] = x[permutation[i]].
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "core/error.h"

namespace m2 {

using Permutation = std::vector<size_t>;

// The reshape-transpose: reads a vector as a matrix of `rows` × `columns`, row by row, and gives
// its transpose, row by row. Its inverse is transpose_permutation(columns, rows).
Permutation transpose_permutation(size_t rows, size_t columns);

// Reverses the digits of an index in the mixed radix (r_1, …, r_p): position (k_1, …, k_p), the
// last running fastest, has the source k_1 + r_1·k_2 + r_1·r_2·k_3 + …. Two radices: a transpose.
Permutation digit_reversal(std::span<const size_t> radices);

Permutation inverse_permutation(const Permutation& permutation);

template <class T>
std::vector<T> permute(const Permutation& permutation, std::span<const T> x) {
  M2_CHECK(x.size() == permutation.size());
  std::vector<T> y;
  y.reserve(x.size());
  for (const size_t source : permutation) y.push_back(x[source]);
  return y;
}

}  // namespace m2
