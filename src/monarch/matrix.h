// A Monarch matrix: its factors and what algebra keeps them such. T is float, double or their
// std::complex.
#pragma once

#include <complex>
#include <cstddef>
#include <span>
#include <vector>

#include "monarch/shapes.h"

namespace m2 {

template <class T>
struct MonarchFactor {
  FactorShape shape;
  std::vector<T> weight;  // [outer][inner][out][in]

  explicit MonarchFactor(const FactorShape& of) : shape(of), weight(of.weights()) {}  // zeros
  T* block(size_t outer, size_t inner) {
    return weight.data() + (outer * shape.inner + inner) * shape.out * shape.in;
  }
  const T* block(size_t outer, size_t inner) const {
    return weight.data() + (outer * shape.inner + inner) * shape.out * shape.in;
  }
};

template <class T>
class MonarchMatrix {
 public:
  // The factors in the order in which they act, one at least. Error(kUsage) where one does not read
  // as many numbers as the one before it writes.
  explicit MonarchMatrix(std::vector<MonarchFactor<T>> factors);

  const std::vector<MonarchFactor<T>>& factors() const { return factors_; }
  size_t order() const { return factors_.size(); }
  size_t columns() const { return factors_.front().shape.columns(); }
  size_t rows() const { return factors_.back().shape.rows(); }
  size_t weights() const;

 private:
  std::vector<MonarchFactor<T>> factors_;
};

// Factors of these shapes, all zeros.
template <class T>
std::vector<MonarchFactor<T>> zero_factors(std::span<const FactorShape> shapes);

// The whole matrix, [rows][columns].
template <class T>
std::vector<T> dense(const MonarchMatrix<T>& matrix);

// The conjugate transpose (the transpose of a real matrix): the factors' own, in reverse order.
template <class T>
MonarchMatrix<T> adjoint(const MonarchMatrix<T>& matrix);

// The inverse: every block's own, the factors in reverse order. Error(kUsage) where a block is not
// square, Error(kFailed) where one is singular. For double and std::complex<double>.
template <class T>
MonarchMatrix<T> inverse(const MonarchMatrix<T>& matrix);

// The weights in another precision.
template <class To, class From>
MonarchMatrix<To> convert(const MonarchMatrix<From>& matrix) {
  std::vector<MonarchFactor<To>> factors;
  for (const MonarchFactor<From>& from : matrix.factors()) {
    MonarchFactor<To> to(from.shape);
    for (size_t i = 0; i < to.weight.size(); ++i) to.weight[i] = static_cast<To>(from.weight[i]);
    factors.push_back(std::move(to));
  }
  return MonarchMatrix<To>(std::move(factors));
}

}  // namespace m2
