#include "monarch/matrix.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/text.h"
#include "monarch/conjugate.h"
#include "monarch/product.h"

namespace m2 {
namespace {

// The inverse of a size×size block by Gauss-Jordan elimination with row exchanges.
template <class T>
void invert_block(size_t size, std::vector<T> block, T* inverse) {
  for (size_t i = 0; i < size; ++i) inverse[i * size + i] = T{1};
  for (size_t column = 0; column < size; ++column) {
    size_t pivot = column;
    for (size_t row = column + 1; row < size; ++row) {
      if (std::abs(block[row * size + column]) > std::abs(block[pivot * size + column])) {
        pivot = row;
      }
    }
    const T value = block[pivot * size + column];
    if (!(std::abs(value) > 0)) throw failed_error("a block of the Monarch matrix is singular");
    for (size_t i = 0; i < size; ++i) {
      std::swap(block[pivot * size + i], block[column * size + i]);
      std::swap(inverse[pivot * size + i], inverse[column * size + i]);
      block[column * size + i] /= value;
      inverse[column * size + i] /= value;
    }
    for (size_t row = 0; row < size; ++row) {
      const T factor = block[row * size + column];
      if (row == column || factor == T{0}) continue;
      for (size_t i = 0; i < size; ++i) {
        block[row * size + i] -= factor * block[column * size + i];
        inverse[row * size + i] -= factor * inverse[column * size + i];
      }
    }
  }
}

}  // namespace

template <class T>
MonarchMatrix<T>::MonarchMatrix(std::vector<MonarchFactor<T>> factors)
    : factors_(std::move(factors)) {
  if (factors_.empty()) throw usage_error("a Monarch matrix needs one factor at least");
  for (size_t i = 0; i < factors_.size(); ++i) {
    const FactorShape& shape = factors_[i].shape;
    M2_CHECK(factors_[i].weight.size() == shape.weights());
    if (i > 0 && shape.columns() != factors_[i - 1].shape.rows()) {
      throw usage_error(concat("factor ", i + 1, " of a Monarch matrix reads ", shape.columns(),
                               " numbers, factor ", i, " writes ", factors_[i - 1].shape.rows()));
    }
  }
}

template <class T>
size_t MonarchMatrix<T>::weights() const {
  size_t count = 0;
  for (const MonarchFactor<T>& factor : factors_) count += factor.shape.weights();
  return count;
}

template <class T>
std::vector<MonarchFactor<T>> zero_factors(std::span<const FactorShape> shapes) {
  std::vector<MonarchFactor<T>> factors;
  for (const FactorShape& shape : shapes) factors.emplace_back(shape);
  return factors;
}

template <class T>
std::vector<T> dense(const MonarchMatrix<T>& matrix) {
  const size_t columns = matrix.columns();
  std::vector<T> identity(columns * columns);
  for (size_t i = 0; i < columns; ++i) identity[i * columns + i] = T{1};
  return multiply<T>(matrix, identity, columns);
}

template <class T>
MonarchMatrix<T> adjoint(const MonarchMatrix<T>& matrix) {
  std::vector<MonarchFactor<T>> factors;
  for (auto from = matrix.factors().rbegin(); from != matrix.factors().rend(); ++from) {
    const auto [outer, in, out, inner] = from->shape;
    MonarchFactor<T> to({outer, out, in, inner});
    for (size_t block = 0; block < outer * inner; ++block) {
      const T* source = from->weight.data() + block * out * in;
      T* target = to.weight.data() + block * out * in;
      for (size_t s = 0; s < out; ++s) {
        for (size_t r = 0; r < in; ++r) target[r * out + s] = conjugate(source[s * in + r]);
      }
    }
    factors.push_back(std::move(to));
  }
  return MonarchMatrix<T>(std::move(factors));
}

template <class T>
MonarchMatrix<T> inverse(const MonarchMatrix<T>& matrix) {
  std::vector<MonarchFactor<T>> factors;
  for (auto from = matrix.factors().rbegin(); from != matrix.factors().rend(); ++from) {
    const FactorShape& shape = from->shape;
    if (shape.in != shape.out) {
      throw usage_error(concat("blocks of ", shape.out, "×", shape.in, " have no inverse"));
    }
    const size_t size = shape.in * shape.in;
    MonarchFactor<T> to(shape);
    for (size_t block = 0; block < shape.blocks(); ++block) {
      const T* source = from->weight.data() + block * size;
      invert_block<T>(shape.in, {source, source + size}, to.weight.data() + block * size);
    }
    factors.push_back(std::move(to));
  }
  return MonarchMatrix<T>(std::move(factors));
}

// NOLINTBEGIN(bugprone-macro-parentheses): a type takes none
#define M2_INSTANTIATE(T)                                                               \
  template class MonarchMatrix<T>;                                                      \
  template std::vector<MonarchFactor<T>> zero_factors<T>(std::span<const FactorShape>); \
  template std::vector<T> dense<T>(const MonarchMatrix<T>&);                            \
  template MonarchMatrix<T> adjoint<T>(const MonarchMatrix<T>&);
// NOLINTEND(bugprone-macro-parentheses)
M2_INSTANTIATE(float)
M2_INSTANTIATE(double)
M2_INSTANTIATE(std::complex<float>)
M2_INSTANTIATE(std::complex<double>)
#undef M2_INSTANTIATE
template MonarchMatrix<double> inverse<double>(const MonarchMatrix<double>&);
template MonarchMatrix<std::complex<double>> inverse<std::complex<double>>(
    const MonarchMatrix<std::complex<double>>&);

}  // namespace m2
