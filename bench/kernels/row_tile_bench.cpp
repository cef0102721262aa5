// Rows between channel blocks and a tile of 64 rows; the text is 2,048 rows long, so that the
// blocks lie as far apart as they do in use.
#include "kernels/row_tile.h"

#include "kernel_bench.h"
#include "kernels/layout.h"

namespace m2 {
namespace {

constexpr size_t kRows = 64, kLength = 2048, kWidth = 768;
constexpr RowTile kShape = {kRows, kWidth / kChannelBlock, kLength * kChannelBlock, kWidth};

enum class Move { kGather, kScatter, kScatterTransposed };

void move(Move which, float* blocks, float* tile) {
  if (which == Move::kGather) {
    gather_tile(kShape, blocks, tile);
  } else if (which == Move::kScatter) {
    scatter_tile(kShape, tile, blocks);
  } else {
    scatter_tile_transposed(kShape, tile, blocks);
  }
}

// Where a number of the tile lies in the blocks.
size_t place(Move which, size_t row, size_t channel) {
  const size_t in_block = channel % kChannelBlock, in_rows = row % kChannelBlock;
  const size_t block = channel / kChannelBlock * kLength * kChannelBlock;
  if (which != Move::kScatterTransposed) return block + row * kChannelBlock + in_block;
  return block + (row - in_rows + in_block) * kChannelBlock + in_rows;
}

void check(Move which, AlignedBuffer<float>& blocks, AlignedBuffer<float>& tile) {
  move(which, blocks.data(), tile.data());
  AlignedBuffer<float> expected(tile.size());
  for (size_t row = 0; row < kRows; ++row) {
    for (size_t channel = 0; channel < kWidth; ++channel) {
      expected[row * kWidth + channel] = blocks[place(which, row, channel)];
    }
  }
  require_close("row_tile", tile.data(), expected.data(), expected.size(), 1e-30);
}

void time_move(benchmark::State& state, Move which) {
  AlignedBuffer<float> blocks = random_buffer(kWidth * kLength, 1);
  AlignedBuffer<float> tile = random_buffer(kRows * kWidth, 2);
  check(which, blocks, tile);
  size_t first = 0;
  for (auto _ : state) {
    move(which, blocks.data() + first * kChannelBlock, tile.data());
    benchmark::ClobberMemory();
    first = (first + kRows) % kLength;
  }
  state.counters["bytes"] = a_second(2.0 * kRows * kWidth * sizeof(float));
}
BENCHMARK_CAPTURE(time_move, gather, Move::kGather)->Name("gather_tile");
BENCHMARK_CAPTURE(time_move, scatter, Move::kScatter)->Name("scatter_tile");
BENCHMARK_CAPTURE(time_move, transposed, Move::kScatterTransposed)->Name("scatter_tile_transposed");

}  // namespace
}  // namespace m2

int main(int argc, char** argv) {
  return m2::run_benchmarks(argc, argv);
}
