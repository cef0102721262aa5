// The complex conjugate; a real number is its own.
#pragma once

#include <complex>

namespace m2 {

template <class T>
T conjugate(T value) {
  return value;
}

template <class T>
std::complex<T> conjugate(const std::complex<T>& value) {
  return std::conj(value);
}

}  // namespace m2
