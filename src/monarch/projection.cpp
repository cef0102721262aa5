#include "monarch/projection.h"

#include <cmath>

#include "core/error.h"
#include "core/text.h"
#include "monarch/conjugate.h"
#include "monarch/singular_values.h"

namespace m2 {
namespace {

using Complex = std::complex<double>;

// A middle number as both factors see it.
struct Middle {
  size_t row;     // of the first's block that writes it
  size_t column;  // of the second's block that reads it
};

// For each pair [block of second][block of first], the middle numbers that it shares.
std::vector<std::vector<Middle>> shared_middles(const FactorShape& first,
                                                const FactorShape& second) {
  std::vector<std::vector<Middle>> pairs(second.blocks() * first.blocks());
  for (size_t j = 0; j < first.rows(); ++j) {
    const size_t writer = j / (first.out * first.inner) * first.inner + j % first.inner;
    const size_t reader = j / (second.in * second.inner) * second.inner + j % second.inner;
    pairs[reader * first.blocks() + writer].push_back(
        {j / first.inner % first.out, j / second.inner % second.in});
  }
  return pairs;
}

// The entries that a pair owns, [second.out][first.in].
template <class T>
std::vector<T> owned_entries(const std::vector<T>& dense, const FactorShape& first,
                             const FactorShape& second, size_t writer, size_t reader) {
  const size_t first_row =
      reader / second.inner * second.out * second.inner + reader % second.inner;
  const size_t first_column = writer / first.inner * first.in * first.inner + writer % first.inner;
  std::vector<T> entries;
  entries.reserve(second.out * first.in);
  for (size_t s = 0; s < second.out; ++s) {
    const size_t row = first_row + s * second.inner;
    for (size_t r = 0; r < first.in; ++r) {
      entries.push_back(dense[row * first.columns() + first_column + r * first.inner]);
    }
  }
  return entries;
}

template <class T>
class Projector {
 public:
  Projector(const FactorShape& first, const FactorShape& second)
      : first_shape_(first), second_shape_(second), first_(first), second_(second) {}

  // Sets the pair's weights and adds to the distance what they leave.
  void take(size_t writer, size_t reader, const std::vector<T>& entries,
            const std::vector<Middle>& middles) {
    if (middles.empty()) {
      for (const T& entry : entries) squared_distance_ += std::norm(entry);
      return;
    }
    const size_t rows = second_shape_.out, columns = first_shape_.in;
    const SingularTriples<T> triples = singular_triples(rows, columns, entries);
    T* read = first_.weight.data() + writer * first_shape_.out * columns;
    T* write = second_.weight.data() + reader * rows * second_shape_.in;
    for (size_t i = 0; i < triples.values.size(); ++i) {
      const double value = triples.values[i];
      if (i >= middles.size()) {
        squared_distance_ += value * value;
        continue;
      }
      const double root = std::sqrt(value);
      for (size_t r = 0; r < columns; ++r) {
        read[middles[i].row * columns + r] = root * conjugate(triples.right[i * columns + r]);
      }
      for (size_t s = 0; s < rows; ++s) {
        write[s * second_shape_.in + middles[i].column] = root * triples.left[i * rows + s];
      }
    }
  }

  Projection<T> finish() {
    std::vector<MonarchFactor<T>> factors;
    factors.push_back(std::move(first_));
    factors.push_back(std::move(second_));
    return {MonarchMatrix<T>(std::move(factors)), std::sqrt(squared_distance_)};
  }

 private:
  FactorShape first_shape_, second_shape_;
  MonarchFactor<T> first_, second_;
  double squared_distance_ = 0;
};

}  // namespace

template <class T>
Projection<T> project(const std::vector<T>& dense, const FactorShape& first,
                      const FactorShape& second) {
  if (first.rows() != second.columns()) {
    throw usage_error(concat("the second factor reads ", second.columns(),
                             " numbers, the first writes ", first.rows()));
  }
  if (dense.size() != second.rows() * first.columns()) {
    throw usage_error(concat("the matrix to project has ", dense.size(),
                             " numbers, the factors are ", second.rows(), "×", first.columns()));
  }
  const std::vector<std::vector<Middle>> pairs = shared_middles(first, second);
  Projector<T> projector(first, second);
  for (size_t reader = 0; reader < second.blocks(); ++reader) {
    for (size_t writer = 0; writer < first.blocks(); ++writer) {
      projector.take(writer, reader, owned_entries(dense, first, second, writer, reader),
                     pairs[reader * first.blocks() + writer]);
    }
  }
  return projector.finish();
}

template Projection<double> project(const std::vector<double>&, const FactorShape&,
                                    const FactorShape&);
template Projection<Complex> project(const std::vector<Complex>&, const FactorShape&,
                                     const FactorShape&);

}  // namespace m2
