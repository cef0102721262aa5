#include "ops/row_tiles.h"

#include <gtest/gtest.h>

#include <array>

#include "ops/gemm/matmul.h"

namespace m2 {
namespace {

TEST(RowTiles, EachTextStartsATileOfItsOwn) {
  const std::array<size_t, 4> lengths = {1, 17, 289, 16};
  const RowTiles rows(lengths);
  ASSERT_EQ(rows.texts().size(), 4u);
  EXPECT_EQ(rows.texts()[1].first_row, kTileStep);
  EXPECT_EQ(rows.texts()[1].padded_rows, 2 * kTileStep);
  EXPECT_EQ(rows.texts()[2].padded_rows, 304u);
  EXPECT_EQ(rows.tiles().size(), 1u + 1u + 5u + 1u);
  EXPECT_EQ(rows.padded_rows(), 16u + 32u + 304u + 16u);
}

std::vector<size_t> tile_rows(std::span<const size_t> lengths, size_t text) {
  std::vector<size_t> found;
  const RowTiles rows(lengths);
  for (const Tile& tile : rows.tiles()) {
    if (tile.text == text) found.push_back(tile.rows);
  }
  return found;
}

TEST(RowTiles, ATilesSizeFollowsFromItsTextAlone) {
  const std::array<size_t, 1> alone = {300};
  const std::array<size_t, 3> together = {5, 300, 4000};
  EXPECT_EQ(tile_rows(alone, 0), std::vector<size_t>({64, 64, 64, 64, 48}));
  EXPECT_EQ(tile_rows(alone, 0), tile_rows(together, 1));
}

TEST(RowTiles, GroupsHoldEachTileOnceAndKeepEveryWorkerBusy) {
  const std::array<size_t, 3> lengths = {5, 300, 4000};
  const RowTiles rows(lengths);
  for (const size_t workers : {1u, 2u, 7u, 40u, 100u}) {
    const auto groups = group_tiles(rows.tiles(), workers);
    const Tile* next = rows.tiles().data();
    for (const std::span<const Tile> group : groups) {
      EXPECT_EQ(group.data(), next);
      EXPECT_LE(group.size(), kGroupTiles);
      next += group.size();
    }
    EXPECT_EQ(next, rows.tiles().data() + rows.tiles().size());
    EXPECT_GE(groups.size(), std::min(2 * workers, rows.tiles().size()) / 2);
  }
}

TEST(Activations, ScatterAndGatherAreInverse) {
  const std::array<size_t, 2> lengths = {20, 5};
  const RowTiles rows(lengths);
  Activations activations;
  activations.resize(rows, 40);
  ASSERT_EQ(activations.blocks(), 3u);
  std::vector<float> tile(kTileRows * 64), found(kTileRows * 64, -1.0f);
  float value = 0;
  for (const Tile& at : rows.tiles()) {
    for (float& x : tile) x = value++;
    activations.scatter(rows.texts()[at.text], at, 0, 3, tile.data(), 64);
  }
  value = 0;
  for (const Tile& at : rows.tiles()) {
    activations.gather(rows.texts()[at.text], at, 0, 3, found.data(), 64);
    for (size_t i = 0; i < tile.size(); ++i, ++value) {
      if (i / 64 < at.rows && i % 64 < 48) {
        EXPECT_EQ(found[i], value);
      }
    }
  }
}

}  // namespace
}  // namespace m2
