#include "ops/row_tiles.h"

#include <gtest/gtest.h>

#include <array>

#include "ops/gemm/matmul.h"

namespace m2 {
namespace {

TEST(RowTiles, EachTextStartsATileOfItsOwn) {
  const std::array<size_t, 4> lengths = {1, 17, 300, 16};
  const RowTiles rows(lengths);
  ASSERT_EQ(rows.texts().size(), 4u);
  EXPECT_EQ(rows.texts()[1].first_row, kShortTile);
  EXPECT_EQ(rows.texts()[1].padded_rows, 2 * kShortTile);
  EXPECT_EQ(rows.texts()[2].tile_rows, kLongTile);
  EXPECT_EQ(rows.texts()[2].padded_rows, 320u);
  EXPECT_EQ(rows.tiles().size(), 1u + 2u + 5u + 1u);
  EXPECT_EQ(rows.padded_rows(), 16u + 32u + 320u + 16u);
}

TEST(RowTiles, ATilesSizeFollowsFromItsTextAlone) {
  const std::array<size_t, 1> alone = {300};
  const std::array<size_t, 3> together = {5, 300, 4000};
  EXPECT_EQ(RowTiles(alone).texts()[0].tile_rows, RowTiles(together).texts()[1].tile_rows);
}

TEST(Activations, ScatterAndGatherAreInverse) {
  const std::array<size_t, 2> lengths = {20, 5};
  const RowTiles rows(lengths);
  Activations activations;
  activations.resize(rows, 40);
  ASSERT_EQ(activations.blocks(), 3u);
  std::vector<float> tile(16 * 64), found(16 * 64, -1.0f);
  float value = 0;
  for (const Tile& at : rows.tiles()) {
    for (float& x : tile) x = value++;
    activations.scatter(rows.texts()[at.text], at.row, 0, 3, tile.data(), 64);
  }
  value = 0;
  for (const Tile& at : rows.tiles()) {
    activations.gather(rows.texts()[at.text], at.row, 0, 3, found.data(), 64);
    for (size_t i = 0; i < tile.size(); ++i, ++value) {
      if (i % 64 < 48) {
        EXPECT_EQ(found[i], value);
      }
    }
  }
}

}  // namespace
}  // namespace m2
