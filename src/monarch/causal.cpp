#include "monarch/causal.h"

#include <algorithm>

#include "core/error.h"
#include "core/text.h"
#include "monarch/dft.h"
#include "monarch/product.h"

namespace m2 {
namespace {

using Complex = std::complex<double>;

[[noreturn]] void refuse(const std::string& coefficient, const std::string& rule, double found) {
  throw usage_error(
      concat("no causal Monarch matrix: coefficient ", coefficient, " is ", found, ", ", rule));
}

// A row of coefficients: zeros below `lowest`, 1 there, zeros from `bound` on.
template <class Coefficient, class Name>
void check_row(size_t base, size_t lowest, size_t bound, const Coefficient& coefficient,
               const Name& name) {
  for (size_t degree = 0; degree < base; ++degree) {
    const double value = coefficient(degree);
    if (degree == lowest) {
      if (value != 1) refuse(name(degree), "the leading one is 1", value);
    } else if (degree < lowest) {
      if (value != 0) refuse(name(degree), concat("below degree ", lowest, " it is 0"), value);
    } else if (degree >= bound && value != 0) {
      refuse(name(degree), concat("from degree ", bound, " on it is 0"), value);
    }
  }
}

const CausalCoefficients& checked(const CausalCoefficients& coefficients, bool holds_data) {
  check_degrees(coefficients, holds_data);
  return coefficients;
}

}  // namespace

CausalCoefficients CausalCoefficients::identity(size_t b) {
  CausalCoefficients coefficients(b);
  for (size_t j1 = 0; j1 < b; ++j1) {
    coefficients.l(j1, j1) = 1;
    for (size_t j0 = 0; j0 < b; ++j0) coefficients.r(j1, j0, j0) = 1;
  }
  return coefficients;
}

size_t causal_data(size_t base) {
  return base * (base / 2);
}

MonarchMatrix<Complex> values_matrix(const CausalCoefficients& coefficients) {
  const size_t b = coefficients.base;
  const std::vector<Complex> roots = unit_roots(b * b), powers = unit_roots(b);
  MonarchFactor<Complex> first({1, b, b, b}), second({b, b, b, 1});
  for (size_t j1 = 0; j1 < b; ++j1) {
    for (size_t i0 = 0; i0 < b; ++i0) {
      for (size_t j0 = 0; j0 < b; ++j0) {
        Complex value{0};
        for (size_t degree = 0; degree < b; ++degree) {
          value += coefficients.r(j1, j0, degree) * powers[i0 * degree % b];
        }
        first.block(0, j1)[i0 * b + j0] = value;
      }
    }
  }
  for (size_t i0 = 0; i0 < b; ++i0) {
    for (size_t i1 = 0; i1 < b; ++i1) {
      for (size_t j1 = 0; j1 < b; ++j1) {
        Complex value{0};
        for (size_t degree = 0; degree < b; ++degree) {
          value += coefficients.l(j1, degree) * roots[(b * i1 + i0) * degree % (b * b)];
        }
        second.block(i0, 0)[i1 * b + j1] = value;
      }
    }
  }
  std::vector<MonarchFactor<Complex>> factors;
  factors.push_back(std::move(first));
  factors.push_back(std::move(second));
  return MonarchMatrix<Complex>(std::move(factors));
}

void check_degrees(const CausalCoefficients& coefficients, bool holds_data) {
  const size_t b = coefficients.base;
  for (size_t j1 = 0; j1 < b; ++j1) {
    check_row(
        b, j1, b, [&](size_t degree) { return coefficients.l(j1, degree); },
        [&](size_t degree) { return concat("l[", j1, "][", degree, "]"); });
    for (size_t j0 = 0; j0 < b; ++j0) {
      const size_t bound = holds_data && j0 < b / 2 ? b / 2 : b;
      check_row(
          b, j0, bound, [&](size_t degree) { return coefficients.r(j1, j0, degree); },
          [&](size_t degree) { return concat("r[", j1, "][", j0, "][", degree, "]"); });
    }
  }
}

CausalMonarch::CausalMonarch(const CausalCoefficients& m0, const CausalCoefficients& m1,
                             const CausalCoefficients& m2)
    : data_(causal_data(m0.base)),
      inverse_of_m0_(inverse(values_matrix(checked(m0, false)))),
      m1_(values_matrix(checked(m1, true))),
      m2_(values_matrix(checked(m2, true))) {
  M2_CHECK(m0.base >= 2 && m1.base == m0.base && m2.base == m0.base);
}

std::vector<double> CausalMonarch::apply(std::span<const double> kernel,
                                         std::span<const double> u) const {
  M2_CHECK(kernel.size() == data_ && u.size() == data_);
  const auto values = [&](const MonarchMatrix<Complex>& matrix, std::span<const double> data) {
    std::vector<Complex> padded(matrix.columns());
    std::copy(data.begin(), data.end(), padded.begin());
    return multiply<Complex>(matrix, padded);
  };
  std::vector<Complex> product = values(m2_, u);
  const std::vector<Complex> kernel_values = values(m1_, kernel);
  for (size_t i = 0; i < product.size(); ++i) product[i] *= kernel_values[i];
  const std::vector<Complex> expanded = multiply<Complex>(inverse_of_m0_, product);
  std::vector<double> result;
  for (size_t i = 0; i < data_; ++i) result.push_back(expanded[i].real());
  return result;
}

}  // namespace m2
