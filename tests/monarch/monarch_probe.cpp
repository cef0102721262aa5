// Computes what monarch_oracle_test.py compares with numpy. Numbers come on stdin and go to stdout
// as the machine's own doubles, complex ones as pairs.
//   monarch_probe dft RADIX…            x -> its DFT, in order
//   monarch_probe values ROWS COLUMNS   complex matrix -> its singular values
//   monarch_probe project-real|project-complex OUTER IN OUT INNER OUTER IN OUT INNER
//                                       matrix -> the nearest one of these factors, the distance
//   monarch_probe rectangular K Q P L S R COLUMNS   w1, w2, x -> the product, computed in fp32
#include <iostream>
#include <string>

#include "core/error.h"
#include "monarch/dft.h"
#include "monarch/permutation.h"
#include "monarch/product.h"
#include "monarch/projection.h"
#include "monarch/singular_values.h"

namespace {

using namespace m2;
using Complex = std::complex<double>;

template <class T>
std::vector<T> read_numbers(size_t count) {
  std::vector<T> values(count);
  std::cin.read(reinterpret_cast<char*>(values.data()),
                static_cast<std::streamsize>(count * sizeof(T)));
  if (!std::cin) throw input_error("stdin has too few numbers");
  return values;
}

template <class T>
void write_numbers(const std::vector<T>& values) {
  std::cout.write(reinterpret_cast<const char*>(values.data()),
                  static_cast<std::streamsize>(values.size() * sizeof(T)));
}

void dft(const std::vector<size_t>& radices) {
  const MonarchMatrix<Complex> matrix = dft_matrix(radices);
  const std::vector<Complex> y = multiply<Complex>(matrix, read_numbers<Complex>(matrix.columns()));
  write_numbers(permute<Complex>(inverse_permutation(digit_reversal(radices)), y));
}

template <class T>
void project_matrix(const std::vector<size_t>& n) {
  const FactorShape first = {n.at(0), n.at(1), n.at(2), n.at(3)};
  const FactorShape second = {n.at(4), n.at(5), n.at(6), n.at(7)};
  const Projection<T> projection =
      project(read_numbers<T>(second.rows() * first.columns()), first, second);
  write_numbers(dense(projection.matrix));
  write_numbers(std::vector<double>{projection.distance});
}

void rectangular(const std::vector<size_t>& n) {
  std::vector<MonarchFactor<double>> factors = zero_factors<double>(
      rectangular_shapes({n.at(0), n.at(1), n.at(2), n.at(3), n.at(4), n.at(5)}));
  for (MonarchFactor<double>& factor : factors) {
    factor.weight = read_numbers<double>(factor.weight.size());
  }
  const MonarchMatrix<float> matrix = convert<float>(MonarchMatrix<double>(std::move(factors)));
  const std::vector<double> x = read_numbers<double>(matrix.columns() * n.at(6));
  const std::vector<float> y =
      multiply<float>(matrix, std::vector<float>(x.begin(), x.end()), n[6]);
  write_numbers(std::vector<double>(y.begin(), y.end()));
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::string command = argc > 1 ? argv[1] : "";
    std::vector<size_t> numbers;
    for (int i = 2; i < argc; ++i) numbers.push_back(std::stoul(argv[i]));
    if (command == "dft") {
      dft(numbers);
    } else if (command == "values") {
      const auto a = read_numbers<Complex>(numbers.at(0) * numbers.at(1));
      write_numbers(singular_triples(numbers[0], numbers[1], a).values);
    } else if (command == "project-real") {
      project_matrix<double>(numbers);
    } else if (command == "project-complex") {
      project_matrix<Complex>(numbers);
    } else if (command == "rectangular") {
      rectangular(numbers);
    } else {
      throw usage_error("see the head of monarch_probe.cpp");
    }
  } catch (const Error& error) {
    std::cerr << error.what() << '\n';
    return static_cast<int>(error.kind());
  }
  return 0;
}
