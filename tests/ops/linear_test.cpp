#include "ops/linear.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "core/random.h"
#include "kernels/layout.h"

namespace m2 {
namespace {

std::vector<float> random_floats(size_t count, uint64_t seed) {
  Random random(seed, "linear test");
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(random.normal());
  return values;
}

AlignedBuffer<float> padded_rows(size_t rows, size_t width, size_t stride, uint64_t seed) {
  const auto values = random_floats(rows * width, seed);
  AlignedBuffer<float> tile(rows * stride);
  std::fill(tile.data(), tile.data() + tile.size(), 0.0f);
  for (size_t row = 0; row < rows; ++row) {
    std::copy_n(values.data() + row * width, width, tile.data() + row * stride);
  }
  return tile;
}

struct Shape {
  size_t blocks, in, out;
  bool with_bias;
};

class LinearTest : public testing::TestWithParam<Shape> {};

// A sum of `in` fp32 products in another order: about eps·sqrt(in) in relative L2, 2e-6 at 1,000.
constexpr double kBound = 2e-6;

TEST_P(LinearTest, MatchesSumsInDouble) {
  const auto [blocks, in, out, with_bias] = GetParam();
  const size_t p = (in + blocks - 1) / blocks, q = (out + blocks - 1) / blocks;
  const Linear::Strides strides = {tile_stride(in, blocks), tile_stride(out, blocks) + 16};
  const auto weight = random_floats(blocks * p * q, 1);
  const auto bias = random_floats(out, 2);
  const Linear linear = Linear::block_diagonal(blocks, in, out, strides, weight.data(),
                                               with_bias ? bias.data() : nullptr);
  for (const size_t rows : {kTileStep, 2 * kTileStep, 3 * kTileStep, kTileRows}) {
    const AlignedBuffer<float> x = padded_rows(rows, in, strides.in, 3);
    AlignedBuffer<float> y(rows * strides.out);
    linear.apply(rows, x.data(), y.data());
    double difference = 0, norm = 0, swapped = 0;
    for (size_t row = 0; row < rows; ++row) {
      for (size_t o = 0; o < out; ++o) {
        double sum = with_bias ? bias[o] : 0.0;
        const size_t block = o / q;
        for (size_t i = 0; i < p && block * p + i < in; ++i) {
          sum += static_cast<double>(weight[o * p + i]) * x[row * strides.in + block * p + i];
        }
        const double found = y[row * strides.out + o];
        difference += (found - sum) * (found - sum);
        norm += sum * sum;
        const double other = y[(rows - 1 - row) * strides.out + o];
        swapped += (other - sum) * (other - sum);
      }
      for (size_t o = out; o < strides.out; ++o) EXPECT_EQ(y[row * strides.out + o], 0.0f);
    }
    EXPECT_LT(std::sqrt(difference / norm), kBound) << rows;
    EXPECT_GT(std::sqrt(swapped / norm), 0.5) << "rows in reverse must not pass";
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, LinearTest,
                         testing::Values(Shape{1, 1, 1, true}, Shape{1, 5, 16, true},
                                         Shape{1, 60, 180, true}, Shape{1, 768, 2304, true},
                                         Shape{1, 129, 127, false}, Shape{4, 64, 512, false},
                                         Shape{8, 60, 500, false}, Shape{8, 250, 60, true},
                                         Shape{5, 64, 33, true}, Shape{4, 768, 6144, false}));

TEST(Linear, ARowDoesNotDependOnItsNeighbours) {
  const auto weight = random_floats(96 * 64, 1);
  const Linear linear = Linear::dense(96, 64, {96, 64}, weight.data(), nullptr);
  AlignedBuffer<float> x = padded_rows(kTileRows, 96, 96, 2);
  AlignedBuffer<float> y(kTileRows * 64), again(kTileRows * 64);
  linear.apply(kTileRows, x.data(), y.data());
  for (size_t row = 1; row < kTileRows; ++row) std::fill_n(x.data() + row * 96, 96, 7.0f);
  linear.apply(kTileRows, x.data(), again.data());
  EXPECT_EQ(std::memcmp(y.data(), again.data(), 64 * sizeof(float)), 0);
}

}  // namespace
}  // namespace m2
