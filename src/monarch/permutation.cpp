#include "monarch/permutation.h"

namespace m2 {

Permutation transpose_permutation(size_t rows, size_t columns) {
  Permutation permutation;
  permutation.reserve(rows * columns);
  for (size_t column = 0; column < columns; ++column) {
    for (size_t row = 0; row < rows; ++row) permutation.push_back(row * columns + column);
  }
  return permutation;
}

Permutation digit_reversal(std::span<const size_t> radices) {
  Permutation permutation = {0};
  size_t weight = 1;
  for (const size_t radix : radices) {
    Permutation longer;
    longer.reserve(permutation.size() * radix);
    for (const size_t source : permutation) {
      for (size_t digit = 0; digit < radix; ++digit) longer.push_back(source + weight * digit);
    }
    permutation = std::move(longer);
    weight *= radix;
  }
  return permutation;
}

Permutation inverse_permutation(const Permutation& permutation) {
  Permutation inverse(permutation.size());
  for (size_t i = 0; i < permutation.size(); ++i) inverse[permutation[i]] = i;
  return inverse;
}

}  // namespace m2
