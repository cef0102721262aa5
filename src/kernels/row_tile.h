// Moves rows between channel blocks and row tiles. A tile is row-major fp32 with `stride` floats
// between rows (a multiple of kChannelBlock): what a GEMM reads and writes.
#pragma once

#include <cstddef>

namespace m2 {

struct RowTile {
  size_t rows = 0;          // rows to move
  size_t blocks = 0;        // channel blocks to move
  size_t block_stride = 0;  // floats between channel blocks
  size_t tile_stride = 0;   // floats between the tile's rows
};

// blocks -> tile; `blocks` points at the first row within channel block 0.
void gather_tile(const RowTile& shape, const float* blocks, float* tile);
// tile -> blocks.
void scatter_tile(const RowTile& shape, const float* tile, float* blocks);
// The same with every 16 rows of a block transposed, [channel][row]: what attention wants of keys.
// rows is a multiple of kChannelBlock.
void scatter_tile_transposed(const RowTile& shape, const float* tile, float* blocks);

}  // namespace m2
