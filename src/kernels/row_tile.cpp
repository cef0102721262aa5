#include "kernels/row_tile.h"

#include <cstring>

#include "kernels/layout.h"

namespace m2 {
namespace {

constexpr size_t kRowBytes = kChannelBlock * sizeof(float);

}  // namespace

void gather_tile(const RowTile& shape, const float* blocks, float* tile) {
  for (size_t block = 0; block < shape.blocks; ++block) {
    const float* source = blocks + block * shape.block_stride;
    float* target = tile + block * kChannelBlock;
    for (size_t row = 0; row < shape.rows; ++row) {
      std::memcpy(target + row * shape.tile_stride, source + row * kChannelBlock, kRowBytes);
    }
  }
}

void scatter_tile(const RowTile& shape, const float* tile, float* blocks) {
  for (size_t block = 0; block < shape.blocks; ++block) {
    const float* source = tile + block * kChannelBlock;
    float* target = blocks + block * shape.block_stride;
    for (size_t row = 0; row < shape.rows; ++row) {
      std::memcpy(target + row * kChannelBlock, source + row * shape.tile_stride, kRowBytes);
    }
  }
}

void scatter_tile_transposed(const RowTile& shape, const float* tile, float* blocks) {
  for (size_t block = 0; block < shape.blocks; ++block) {
    for (size_t row = 0; row < shape.rows; row += kChannelBlock) {
      const float* source = tile + row * shape.tile_stride + block * kChannelBlock;
      float* target = blocks + block * shape.block_stride + row * kChannelBlock;
      for (size_t channel = 0; channel < kChannelBlock; ++channel) {
        for (size_t lane = 0; lane < kChannelBlock; ++lane) {
          target[channel * kChannelBlock + lane] = source[lane * shape.tile_stride + channel];
        }
      }
    }
  }
}

}  // namespace m2
