#include "ops/row_tiles.h"

#include <algorithm>

#include "core/error.h"
#include "kernels/layout.h"
#include "kernels/row_tile.h"
#include "ops/gemm/matmul.h"

namespace m2 {
RowTiles::RowTiles(std::span<const size_t> lengths) {
  for (const size_t length : lengths) {
    M2_CHECK(length > 0);
    TextRows text;
    text.length = length;
    text.padded_rows = round_up(length, kTileStep);
    text.first_row = padded_rows_;
    for (size_t row = 0; row < text.padded_rows; row += kTileRows) {
      tiles_.push_back({texts_.size(), row, std::min(kTileRows, text.padded_rows - row)});
    }
    padded_rows_ += text.padded_rows;
    texts_.push_back(text);
  }
}

std::vector<Tile> RowTiles::first_tiles() const {
  std::vector<Tile> tiles;
  for (size_t text = 0; text < texts_.size(); ++text) tiles.push_back({text, 0, kTileStep});
  return tiles;
}

std::vector<std::span<const Tile>> group_tiles(std::span<const Tile> tiles, size_t workers) {
  // Twice as many groups as workers, where there are so many tiles: one that is late is caught up.
  const size_t size = std::clamp<size_t>(tiles.size() / (2 * workers), 1, kGroupTiles);
  std::vector<std::span<const Tile>> groups;
  for (size_t first = 0; first < tiles.size(); first += size) {
    groups.push_back(tiles.subspan(first, std::min(size, tiles.size() - first)));
  }
  return groups;
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

void Activations::gather(const TextRows& text, const Tile& place, size_t first, size_t count,
                         float* tile, size_t tile_stride) const {
  const RowTile shape = {place.rows, count, text.padded_rows * kChannelBlock, tile_stride};
  gather_tile(shape, block(text, first) + place.row * kChannelBlock, tile);
}

void Activations::scatter(const TextRows& text, const Tile& place, size_t first, size_t count,
                          const float* tile, size_t tile_stride) {
  const RowTile shape = {place.rows, count, text.padded_rows * kChannelBlock, tile_stride};
  scatter_tile(shape, tile, block(text, first) + place.row * kChannelBlock);
}

void Activations::scatter_transposed(const TextRows& text, const Tile& place, size_t first,
                                     size_t count, const float* tile, size_t tile_stride) {
  const RowTile shape = {place.rows, count, text.padded_rows * kChannelBlock, tile_stride};
  scatter_tile_transposed(shape, tile, block(text, first) + place.row * kChannelBlock);
}

}  // namespace m2
