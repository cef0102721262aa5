// How the rows of a batch of texts are cut into tiles, and the activations laid out on them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/aligned_buffer.h"

namespace m2 {

// One text's rows within a batch. Its tiles follow from its own length alone, and it starts a tile
// of its own, so that its bits do not depend on its neighbours.
struct TextRows {
  size_t length = 0;
  size_t padded_rows = 0;  // length rounded up to a multiple of kTileStep
  size_t first_row = 0;    // padded rows of the texts before it
};

struct Tile {
  size_t text = 0;
  size_t row = 0;   // first row, within the text
  size_t rows = 0;  // kTileRows, but for a text's last tile: what is left, a multiple of kTileStep
};

// Which rows of a text a computation is for.
enum class WantedRows : uint8_t {
  kAll,
  kFirst  // that of token 0
};

// Tiles that a worker takes together: each panel of weights is read once for all of them.
inline constexpr size_t kGroupTiles = 8;

class RowTiles {
 public:
  // Every length is at least 1.
  explicit RowTiles(std::span<const size_t> lengths);
  const std::vector<TextRows>& texts() const { return texts_; }
  const std::vector<Tile>& tiles() const { return tiles_; }
  // The first rows of each text, in its shortest tile.
  std::vector<Tile> first_tiles() const;
  size_t padded_rows() const { return padded_rows_; }

 private:
  std::vector<TextRows> texts_;
  std::vector<Tile> tiles_;
  size_t padded_rows_ = 0;
};

// Runs of up to kGroupTiles, shorter where `workers` would else stay idle. How tiles are grouped
// changes no bit.
std::vector<std::span<const Tile>> group_tiles(std::span<const Tile> tiles, size_t workers);

// Activations of a batch: for each text, channel blocks of [padded_rows][16] fp32, one after the
// other. Memory is kept from batch to batch.
class Activations {
 public:
  // Room for `channels` on every padded row; the contents are undefined.
  void resize(const RowTiles& rows, size_t channels);
  size_t blocks() const { return blocks_; }

  float* block(const TextRows& text, size_t block);
  const float* block(const TextRows& text, size_t block) const;

  // Between the channel blocks [first, first + count) of the rows of `place`, a tile of `text`, and
  // a row-major tile.
  void gather(const TextRows& text, const Tile& place, size_t first, size_t count, float* tile,
              size_t tile_stride) const;
  void scatter(const TextRows& text, const Tile& place, size_t first, size_t count,
               const float* tile, size_t tile_stride);
  // scatter() with every 16 rows of a block transposed, as attention wants its keys.
  void scatter_transposed(const TextRows& text, const Tile& place, size_t first, size_t count,
                          const float* tile, size_t tile_stride);

 private:
  size_t blocks_ = 0;
  AlignedBuffer<float> data_;
};

}  // namespace m2
