// ops: one file an operation; checks shapes and chooses how it is computed. Only gemm/ knows
// oneDNN. Uses kernels, config and core.
//
// A linear layer on row tiles, dense or block-diagonal:
//   dense:           out = in·Wᵀ + bias,  W is [out][in]
//   block-diagonal:  block b reads inputs [b·p, (b+1)·p) and writes outputs [b·q, (b+1)·q), W is
//                    [blocks][q][p], p = ceil(in/blocks), q = ceil(out/blocks)
// The outputs are computed in panels of neighbours. A panel's weights and results stay in the cache
// while several tiles pass and whatever comes next takes the results.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "core/aligned_buffer.h"
#include "ops/gemm/matmul.h"
#include "ops/operand.h"
#include "ops/row_tiles.h"

namespace m2 {

// Outputs of a panel, at most.
inline constexpr size_t kPanelWidth = 384;

class Linear {
 public:
  struct Shape {
    size_t in = 0, out = 0;
    // Elements between rows of a tile: in_stride at least tile_stride(in, blocks).
    size_t in_stride = 0, out_stride = 0;
    size_t blocks = 1;
    DType type = DType::kF32;  // kF32, kBF16 or kI8: of the weights, and of the products where the
                               // machine has them (operand_type)
    std::vector<size_t> cuts = {};  // outputs, besides those of kPanelWidth, where a panel ends
  };
  struct Panel {
    size_t first = 0, width = 0;  // outputs [first, first + width)
    size_t block = 0;
  };

  Linear() = default;
  // `weight` and `bias` are copied; bias is [out] or null.
  Linear(const Shape& shape, const float* weight, const float* bias);

  size_t in_stride() const { return shape_.in_stride; }
  size_t out_stride() const { return shape_.out_stride; }
  size_t out() const { return shape_.out; }
  const std::vector<Panel>& panels() const { return panels_; }

  // A tile of fp32 rows, in_stride floats apart, as the products read it; its inputs from `in` to
  // the end of the last block must be zero. Valid as long as the tile and the buffer are.
  Operand prepare(size_t rows, const float* in, OperandBuffer& buffer) const;

  // The same of a tile's rows of `from`, its channels from block `first` on; `tile` is memory for
  // kTileRows rows, in_stride floats apart.
  Operand gather(const Activations& from, const TextRows& text, const Tile& place, size_t first,
                 float* tile, OperandBuffer& buffer) const;

  // Outputs of one panel; `out` is where the first of row 0 goes. On the calling thread.
  void apply_panel(size_t panel, size_t rows, const Operand& in, float* out) const;

  // All outputs of a group of tiles, tile i at out + i·kTileRows·out_stride. What lies beyond them
  // is left alone.
  void apply_group(std::span<const Tile> tiles, std::span<const Operand> in, float* out) const;
  // All outputs of one tile; those from `out` up to out_stride become zero.
  void apply(size_t rows, const float* in, OperandBuffer& buffer, float* out) const;

 private:
  // Floats between rows of what a panel's product reads and writes.
  size_t product_in_stride() const { return touching_ ? block_in_ : shape_.in_stride; }
  size_t product_out_stride(const Panel& panel) const {
    return touching_ ? panel.width : shape_.out_stride;
  }
  const float* touching_blocks(size_t rows, const float* in, OperandBuffer& buffer) const;
  void cut_into_panels();
  void add_matrix(const Panel& panel, const float* weight, const float* bias);

  Shape shape_;
  DType operand_ = DType::kF32;
  bool touching_ = false;  // products read and write rows that touch
  size_t block_in_ = 0, block_out_ = 0;
  std::vector<Panel> panels_;
  std::vector<PackedMatrix> matrices_;  // by panel
  // Of int8 products, by output.
  AlignedBuffer<float> scales_, bias_;
  AlignedBuffer<int32_t> offsets_;
};

// Zeros in columns [first, end) of a tile.
void clear_columns(size_t rows, size_t first, size_t end, size_t stride, float* tile);

// The width of a row that `blocks` blocks cover, as a multiple of kChannelBlock.
size_t tile_stride(size_t width, size_t blocks = 1);

}  // namespace m2
