#include "monarch/product.h"

#include <algorithm>

#include "core/error.h"

namespace m2 {
namespace {

// A block whose fibres are strided is gathered first where each number is used this often.
constexpr size_t kRowsWorthGathering = 8;
// A task is large enough to hide what handing it out costs: some microseconds.
constexpr size_t kProductsPerTask = size_t{1} << 18;
constexpr size_t kRowsPerTask = 64;

// How a factor's work is cut: a task is some whole blocks or, of few and large ones, some rows of a
// block.
struct Tasks {
  size_t blocks = 1;
  size_t row_pieces = 1;

  Tasks(const FactorShape& shape, size_t columns, int workers) {
    const size_t products = std::max<size_t>(1, shape.in * shape.out * columns);
    if (products > kProductsPerTask && shape.blocks() < 8 * static_cast<size_t>(workers)) {
      row_pieces = (shape.out + kRowsPerTask - 1) / kRowsPerTask;
    } else {
      blocks = std::max<size_t>(1, kProductsPerTask / products);
    }
  }
  size_t count(const FactorShape& shape) const {
    return (shape.blocks() + blocks - 1) / blocks * row_pieces;
  }
};

// One factor times `columns` vectors.
template <class T>
struct FactorProduct {
  const MonarchFactor<T>& factor;
  size_t columns;
  const T* x;
  T* y;
  BlockKernel<T> kernel;

  // Rows first_row … last_row − 1 of one block.
  void block(size_t index, size_t first_row, size_t last_row, AlignedBuffer<T>& gathered) const {
    const auto [outer, in, out, inner] = factor.shape;
    const size_t a = index / inner, c = index % inner, stride = inner * columns;
    BlockProduct<T> product;
    product.out = last_row - first_row;
    product.in = in;
    product.columns = columns;
    product.weight = factor.block(a, c) + first_row * in;
    product.x = x + (a * in * inner + c) * columns;
    product.x_stride = stride;
    product.y = y + ((a * out + first_row) * inner + c) * columns;
    product.y_stride = stride;
    if (inner > 1 && product.out >= kRowsWorthGathering) {
      gathered.resize(in * columns);
      for (size_t r = 0; r < in; ++r) {
        std::copy_n(product.x + r * stride, columns, gathered.data() + r * columns);
      }
      product.x = gathered.data();
      product.x_stride = columns;
    }
    kernel(product);
  }

  void run(Executor& executor, std::vector<AlignedBuffer<T>>& gathered) const {
    const FactorShape& shape = factor.shape;
    const Tasks tasks(shape, columns, executor.workers());
    executor.parallel_for(tasks.count(shape), [&](size_t task, int worker) {
      const size_t piece = task % tasks.row_pieces, first = task / tasks.row_pieces * tasks.blocks;
      const size_t last = std::min(first + tasks.blocks, shape.blocks());
      const size_t first_row = tasks.row_pieces == 1 ? 0 : piece * kRowsPerTask;
      const size_t last_row =
          tasks.row_pieces == 1 ? shape.out : std::min(first_row + kRowsPerTask, shape.out);
      for (size_t index = first; index < last; ++index) {
        block(index, first_row, last_row, gathered[static_cast<size_t>(worker)]);
      }
    });
  }
};

}  // namespace

template <class T>
void multiply_block(const BlockProduct<T>& product) {
  for (size_t s = 0; s < product.out; ++s) {
    T* __restrict y = product.y + s * product.y_stride;
    std::fill_n(y, product.columns, T{0});
    for (size_t r = 0; r < product.in; ++r) {
      const T weight = product.weight[s * product.in + r];
      const T* __restrict x = product.x + r * product.x_stride;
      for (size_t c = 0; c < product.columns; ++c) y[c] += weight * x[c];
    }
  }
}

template <class T>
void multiply(const MonarchMatrix<T>& matrix, size_t columns, const T* in, T* out,
              Executor& executor, ProductWorkspace<T>& workspace, BlockKernel<T> kernel) {
  workspace.gathered.resize(static_cast<size_t>(executor.workers()));
  const T* x = in;
  for (size_t i = 0; i < matrix.order(); ++i) {
    const MonarchFactor<T>& factor = matrix.factors()[i];
    T* y = out;
    if (i + 1 < matrix.order()) {
      AlignedBuffer<T>& buffer = workspace.between[i % 2];
      buffer.resize(factor.shape.rows() * columns);
      y = buffer.data();
    }
    FactorProduct<T>{factor, columns, x, y, kernel}.run(executor, workspace.gathered);
    x = y;
  }
}

template <class T>
std::vector<T> multiply(const MonarchMatrix<T>& matrix, std::span<const T> in, size_t columns) {
  M2_CHECK(in.size() == matrix.columns() * columns);
  std::vector<T> out(matrix.rows() * columns);
  ThreadPool here(1);
  ProductWorkspace<T> workspace;
  multiply(matrix, columns, in.data(), out.data(), here, workspace);
  return out;
}

#define M2_INSTANTIATE(T)                                                             \
  template void multiply_block<T>(const BlockProduct<T>&);                            \
  template void multiply<T>(const MonarchMatrix<T>&, size_t, const T*, T*, Executor&, \
                            ProductWorkspace<T>&, BlockKernel<T>);                    \
  template std::vector<T> multiply<T>(const MonarchMatrix<T>&, std::span<const T>, size_t);
M2_INSTANTIATE(float)
M2_INSTANTIATE(double)
M2_INSTANTIATE(std::complex<float>)
M2_INSTANTIATE(std::complex<double>)
#undef M2_INSTANTIATE

}  // namespace m2
