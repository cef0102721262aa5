// What the Monarch tests share: random matrices, and their products by the definition alone.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/random.h"
#include "monarch/matrix.h"

namespace m2 {

using Complex = std::complex<double>;

inline void draw(Random& random, double& value) {
  value = random.normal();
}

inline void draw(Random& random, float& value) {
  value = static_cast<float>(random.normal());
}

template <class T>
void draw(Random& random, std::complex<T>& value) {
  const double re = random.normal();
  value = {static_cast<T>(re), static_cast<T>(random.normal())};
}

template <class T>
std::vector<T> random_numbers(size_t count, uint64_t seed) {
  Random random(seed, "monarch test");
  std::vector<T> values(count);
  for (T& value : values) draw(random, value);
  return values;
}

template <class T>
MonarchMatrix<T> random_matrix(std::span<const FactorShape> shapes, uint64_t seed) {
  std::vector<MonarchFactor<T>> factors = zero_factors<T>(shapes);
  for (MonarchFactor<T>& factor : factors) {
    factor.weight = random_numbers<T>(factor.weight.size(), seed++);
  }
  return MonarchMatrix<T>(std::move(factors));
}

// ‖a − b‖ / ‖b‖
template <class A, class B>
double relative_error(const A& a, const B& b) {
  EXPECT_EQ(a.size(), b.size());
  double difference = 0, norm = 0;
  for (size_t i = 0; i < b.size(); ++i) {
    difference += std::norm(Complex(a[i]) - Complex(b[i]));
    norm += std::norm(Complex(b[i]));
  }
  return std::sqrt(difference / norm);
}

// [rows][inner]·[inner][columns], by the definition.
template <class A, class B>
std::vector<Complex> dense_product(size_t rows, size_t inner, size_t columns, const A& a,
                                   const B& b) {
  std::vector<Complex> product(rows * columns);
  for (size_t i = 0; i < rows; ++i) {
    for (size_t k = 0; k < inner; ++k) {
      for (size_t j = 0; j < columns; ++j) {
        product[i * columns + j] += Complex(a[i * inner + k]) * Complex(b[k * columns + j]);
      }
    }
  }
  return product;
}

// One factor as a dense matrix: row (a, s, c), column (a, r, c).
template <class T>
std::vector<Complex> dense_factor(const MonarchFactor<T>& factor) {
  const FactorShape& shape = factor.shape;
  std::vector<Complex> matrix(shape.rows() * shape.columns());
  size_t index = 0;
  for (size_t a = 0; a < shape.outer; ++a) {
    for (size_t c = 0; c < shape.inner; ++c) {
      for (size_t s = 0; s < shape.out; ++s) {
        for (size_t r = 0; r < shape.in; ++r) {
          const size_t row = (a * shape.out + s) * shape.inner + c;
          const size_t column = (a * shape.in + r) * shape.inner + c;
          matrix[row * shape.columns() + column] = Complex(factor.weight[index++]);
        }
      }
    }
  }
  return matrix;
}

// The whole matrix as the product of its dense factors, in double.
template <class T>
std::vector<Complex> expanded(const MonarchMatrix<T>& matrix) {
  std::vector<Complex> whole = dense_factor(matrix.factors().front());
  for (size_t i = 1; i < matrix.order(); ++i) {
    const FactorShape& shape = matrix.factors()[i].shape;
    whole = dense_product(shape.rows(), shape.columns(), matrix.columns(),
                          dense_factor(matrix.factors()[i]), whole);
  }
  return whole;
}

// The error that `body` throws, "" for none.
template <class Body>
std::string error_of(const Body& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace m2
