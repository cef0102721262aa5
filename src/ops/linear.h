// ops: one file an operation; checks shapes and chooses how it is computed. Only gemm/ knows
// oneDNN. Uses kernels, config and core.
//
// A linear layer on row tiles, dense or block-diagonal:
//   dense:           out = in·Wᵀ + bias,  W is [out][in]
//   block-diagonal:  block b reads inputs [b·p, (b+1)·p) and writes outputs [b·q, (b+1)·q), W is
//                    [blocks][q][p], p = ceil(in/blocks), q = ceil(out/blocks)
#pragma once

#include <cstddef>
#include <vector>

#include "core/aligned_buffer.h"
#include "ops/gemm/matmul.h"

namespace m2 {

class Linear {
 public:
  Linear() = default;
  // `weight` and `bias` are copied; bias is [out] or null. A tile's rows are in_stride and
  // out_stride floats apart: at least tile_stride(width, blocks).
  struct Strides {
    size_t in = 0, out = 0;
  };
  static Linear dense(size_t in, size_t out, const Strides& strides, const float* weight,
                      const float* bias);
  static Linear block_diagonal(size_t blocks, size_t in, size_t out, const Strides& strides,
                               const float* weight, const float* bias);

  // Inputs from `in` to the end of the last block must be zero. Outputs from `out` up to out_stride
  // become zero.
  size_t in_stride() const { return in_stride_; }
  size_t out_stride() const { return out_stride_; }
  size_t out() const { return out_; }

  // One tile on the calling thread.
  void apply(size_t rows, const float* in, float* out) const;

 private:
  size_t blocks_ = 0, out_ = 0, in_stride_ = 0, out_stride_ = 0;
  size_t block_in_ = 0, block_out_ = 0;
  std::vector<PackedMatrix> matrices_;
  AlignedBuffer<float> bias_;  // empty, or as long as a row of the output
};

// The width of a row that `blocks` blocks cover, as a multiple of kChannelBlock.
size_t tile_stride(size_t width, size_t blocks = 1);

}  // namespace m2
