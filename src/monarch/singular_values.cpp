#include "monarch/singular_values.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/error.h"
#include "monarch/conjugate.h"

namespace m2 {
namespace {

using Complex = std::complex<double>;

constexpr int kMaxSweeps = 60;  // convergence is quadratic: ten are many

// Columns of a matrix, each in one piece.
template <class T>
using Columns = std::vector<std::vector<T>>;

template <class T>
T inner_product(const std::vector<T>& a, const std::vector<T>& b) {
  T sum{0};
  for (size_t i = 0; i < a.size(); ++i) sum += conjugate(a[i]) * b[i];
  return sum;
}

template <class T>
double squared_length(const std::vector<T>& a) {
  double sum = 0;
  for (const T& value : a) sum += std::norm(value);
  return sum;
}

// (p, q) becomes (c·p − s·q·turn, s·p + c·q·turn).
template <class T>
void rotate(std::vector<T>& p, std::vector<T>& q, double c, double s, T turn) {
  for (size_t i = 0; i < p.size(); ++i) {
    const T turned = q[i] * turn, old = p[i];
    p[i] = c * old - s * turned;
    q[i] = s * old + c * turned;
  }
}

// Turns two columns of `a` until they are orthogonal, and those of `v` alike; whether it had to.
template <class T>
bool orthogonalise(Columns<T>& a, Columns<T>& v, size_t p, size_t q) {
  const double alpha = squared_length(a[p]), beta = squared_length(a[q]);
  // Squares this small have no digits left; the largest entry is about 1.
  if (std::min(alpha, beta) < std::numeric_limits<double>::min()) return false;
  const T gamma = inner_product(a[p], a[q]);
  const double size = std::abs(gamma);
  const double rounding = std::numeric_limits<double>::epsilon() * static_cast<double>(a[p].size());
  if (size <= rounding * std::sqrt(alpha * beta)) return false;
  // q times conj(gamma)/|gamma| makes the inner product |gamma|; the tangent t then solves
  // t² + 2·zeta·t − 1 = 0, its smaller root.
  const double zeta = (beta - alpha) / (2 * size);
  const double t = std::copysign(1.0, zeta) / (std::abs(zeta) + std::hypot(1.0, zeta));
  const double c = 1 / std::hypot(1.0, t);
  const T turn = conjugate(gamma) / size;
  rotate(a[p], a[q], c, c * t, turn);
  rotate(v[p], v[q], c, c * t, turn);
  return true;
}

template <class T>
void append_scaled(std::vector<T>& to, const std::vector<T>& vector, double scale) {
  for (const T& value : vector) to.push_back(value * scale);
}

// The triples of a matrix with no more columns than rows, given by its columns.
template <class T>
SingularTriples<T> tall_triples(Columns<T> a) {
  const size_t count = a.size();
  Columns<T> v(count, std::vector<T>(count));
  for (size_t i = 0; i < count; ++i) v[i][i] = T{1};
  bool turned = true;
  for (int sweep = 0; turned; ++sweep) {
    if (sweep == kMaxSweeps) throw failed_error("a singular value decomposition does not converge");
    turned = false;
    for (size_t p = 0; p < count; ++p) {
      for (size_t q = p + 1; q < count; ++q) turned |= orthogonalise(a, v, p, q);
    }
  }
  std::vector<double> lengths(count);
  for (size_t i = 0; i < count; ++i) lengths[i] = std::sqrt(squared_length(a[i]));
  std::vector<size_t> order(count);
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t i, size_t j) { return lengths[i] > lengths[j]; });
  SingularTriples<T> triples;
  for (const size_t i : order) {
    triples.values.push_back(lengths[i]);
    append_scaled(triples.left, a[i], lengths[i] > 0 ? 1 / lengths[i] : 0);
    append_scaled(triples.right, v[i], 1);
  }
  return triples;
}

}  // namespace

template <class T>
SingularTriples<T> singular_triples(size_t rows, size_t columns, const std::vector<T>& a) {
  M2_CHECK(a.size() == rows * columns);
  double largest = 0;
  for (const T& value : a) {
    if (!std::isfinite(std::abs(value))) {
      throw usage_error("a matrix with a number that is not finite has no singular values");
    }
    largest = std::max(largest, std::abs(value));
  }
  // Squares shall neither overflow nor vanish; a power of two changes no bit.
  const int exponent = largest > 0 ? std::ilogb(largest) : 0;
  const double scale = std::ldexp(1.0, -exponent / 2),
               rest = std::ldexp(1.0, exponent / 2 - exponent);
  const bool wide = columns > rows;  // then those of the adjoint, with the sides exchanged
  Columns<T> vectors(wide ? rows : columns, std::vector<T>(wide ? columns : rows));
  for (size_t i = 0; i < rows; ++i) {
    for (size_t j = 0; j < columns; ++j) {
      const T value = a[i * columns + j] * scale * rest;
      (wide ? vectors[i][j] : vectors[j][i]) = wide ? conjugate(value) : value;
    }
  }
  SingularTriples<T> triples = tall_triples(std::move(vectors));
  for (double& value : triples.values) value = std::ldexp(value, exponent);
  if (wide) std::swap(triples.left, triples.right);
  return triples;
}

template SingularTriples<double> singular_triples(size_t, size_t, const std::vector<double>&);
template SingularTriples<Complex> singular_triples(size_t, size_t, const std::vector<Complex>&);

}  // namespace m2
