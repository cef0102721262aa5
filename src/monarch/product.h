// A Monarch matrix times a block of vectors.
//
// The vectors are the columns of x, [matrix.columns()][columns], so that the same element of all of
// them lies side by side: the inner loop runs over vectors, and no factor permutes anything.
// 2·weights·columns operations. A result's bits depend on neither `columns` nor the threads: each
// output is one sum in the order of `in`, started at zero.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "core/aligned_buffer.h"
#include "core/threads.h"
#include "monarch/matrix.h"

namespace m2 {

// One block times its fibres: y[s][c] = Σ_r weight[s][r]·x[r][c]. Strides count elements of T; y
// overlaps nothing.
template <class T>
struct BlockProduct {
  size_t out = 0, in = 0, columns = 0;
  const T* weight = nullptr;  // [out][in]
  const T* x = nullptr;       // [in], x_stride apart
  size_t x_stride = 0;
  T* y = nullptr;  // [out], y_stride apart
  size_t y_stride = 0;
};

template <class T>
using BlockKernel = void (*)(const BlockProduct<T>&);

// By plain loops.
template <class T>
void multiply_block(const BlockProduct<T>& product);

// Memory that products use; kept from one to the next, it is allocated once.
template <class T>
struct ProductWorkspace {
  AlignedBuffer<T> between[2];             // what one factor hands to the next
  std::vector<AlignedBuffer<T>> gathered;  // a worker's: one block's fibres, side by side
};

// out = matrix·in; out is [matrix.rows()][columns] and overlaps nothing.
template <class T>
void multiply(const MonarchMatrix<T>& matrix, size_t columns, const T* in, T* out,
              Executor& executor, ProductWorkspace<T>& workspace,
              BlockKernel<T> kernel = multiply_block<T>);

// The same on the calling thread.
template <class T>
std::vector<T> multiply(const MonarchMatrix<T>& matrix, std::span<const T> in, size_t columns = 1);

}  // namespace m2
