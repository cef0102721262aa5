#include "ops/row_tiles.h"

#include "core/error.h"
#include "kernels/layout.h"
#include "kernels/row_tile.h"
#include "ops/gemm/matmul.h"

namespace m2 {
namespace {

// Up to here short tiles waste fewer rows than long ones save in reading the weights less often.
constexpr size_t kLongestShortText = 256;

}  // namespace

RowTiles::RowTiles(std::span<const size_t> lengths) {
  for (const size_t length : lengths) {
    M2_CHECK(length > 0);
    TextRows text;
    text.length = length;
    text.tile_rows = length <= kLongestShortText ? kShortTile : kLongTile;
    text.padded_rows = round_up(length, text.tile_rows);
    text.first_row = padded_rows_;
    for (size_t row = 0; row < length; row += text.tile_rows)
      tiles_.push_back({texts_.size(), row});
    padded_rows_ += text.padded_rows;
    texts_.push_back(text);
  }
}

void Activations::resize(const RowTiles& rows, size_t channels) {
  blocks_ = channel_blocks(channels);
  data_.resize(rows.padded_rows() * blocks_ * kChannelBlock);
}

float* Activations::block(const TextRows& text, size_t block) {
  return data_.data() + (text.first_row * blocks_ + block * text.padded_rows) * kChannelBlock;
}

const float* Activations::block(const TextRows& text, size_t block) const {
  return data_.data() + (text.first_row * blocks_ + block * text.padded_rows) * kChannelBlock;
}

void Activations::gather(const TextRows& text, size_t row, size_t first, size_t count, float* tile,
                         size_t tile_stride) const {
  const RowTile shape = {text.tile_rows, count, text.padded_rows * kChannelBlock, tile_stride};
  gather_tile(shape, block(text, first) + row * kChannelBlock, tile);
}

void Activations::scatter(const TextRows& text, size_t row, size_t first, size_t count,
                          const float* tile, size_t tile_stride) {
  const RowTile shape = {text.tile_rows, count, text.padded_rows * kChannelBlock, tile_stride};
  scatter_tile(shape, tile, block(text, first) + row * kChannelBlock);
}

void Activations::scatter_transposed(const TextRows& text, size_t row, size_t first, size_t count,
                                     const float* tile, size_t tile_stride) {
  const RowTile shape = {text.tile_rows, count, text.padded_rows * kChannelBlock, tile_stride};
  scatter_tile_transposed(shape, tile, block(text, first) + row * kChannelBlock);
}

}  // namespace m2
