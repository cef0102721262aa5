#include "core/packed_pages.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

namespace m2 {
namespace {

TEST(PackedPages, BlocksAreAlignedAndApart) {
  const std::vector<size_t> sizes = {1, 64, 65, 100000, size_t{40} << 20, 3, size_t{31} << 20, 7};
  std::vector<std::shared_ptr<uint8_t>> blocks;
  for (size_t i = 0; i < sizes.size(); ++i) {
    blocks.push_back(allocate_packed(sizes[i]));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(blocks.back().get()) % 64, 0u);
    std::memset(blocks.back().get(), static_cast<int>(i + 1), sizes[i]);
  }
  for (size_t i = 0; i < sizes.size(); ++i) {
    EXPECT_EQ(blocks[i].get()[0], i + 1);
    EXPECT_EQ(blocks[i].get()[sizes[i] - 1], i + 1);
  }
}

TEST(PackedPages, ABlockOutlivesItsNeighbours) {
  auto first = allocate_packed(1000);
  auto second = allocate_packed(1000);
  std::memset(second.get(), 5, 1000);
  first.reset();
  for (int i = 0; i < 100; ++i) std::memset(allocate_packed(size_t{1} << 20).get(), 1, 1 << 20);
  EXPECT_EQ(second.get()[999], 5);
}

}  // namespace
}  // namespace m2
