#include "kernels/layer_norm.h"

#include "core/aligned_buffer.h"
#include "kernel_test.h"
#include "kernels/layout.h"

namespace m2 {
namespace {

class LayerNormTest : public KernelTest {};
M2_INSTANTIATE_KERNEL_TEST(LayerNormTest);

// Sums of up to 800 terms in lanes, then a division: a few tens of fp32 roundings of 6e-8 each at
// random signs, so 1e-6 in relative L2.
constexpr double kBound = 1e-6;

struct Buffers {
  size_t rows, channels, stride;
  AlignedBuffer<float> x, residual, weight, bias, out;
  std::vector<double> expected;

  Buffers(size_t rows_, size_t channels_, double scale)
      : rows(rows_), channels(channels_), stride(round_up(channels_, kChannelBlock)) {
    const auto fill = [](AlignedBuffer<float>& buffer, size_t count, uint64_t seed, double s) {
      buffer.resize(count);
      const auto values = random_floats(count, seed, s);
      std::copy(values.begin(), values.end(), buffer.data());
    };
    fill(x, rows * stride, 1, scale);
    fill(residual, rows * stride, 2, scale);
    fill(weight, stride, 3, 1);
    fill(bias, stride, 4, 1);
    out.resize(rows * stride);
    expected.resize(rows * stride);
  }

  LayerNormTile tile(float eps, bool with_residual) {
    return {
        rows,          channels,    stride, x.data(),  with_residual ? residual.data() : nullptr,
        weight.data(), bias.data(), eps,    out.data()};
  }

  double error(float eps, bool with_residual) {
    const LayerNormTile t = tile(eps, with_residual);
    reference::layer_norm(t, expected.data());
    layer_norm(t);
    return relative_error(std::vector<float>(out.data(), out.data() + out.size()), expected);
  }
};

TEST_P(LayerNormTest, MatchesTheReferenceAtAwkwardWidths) {
  for (const size_t channels : {1u, 2u, 15u, 16u, 17u, 60u, 64u, 127u, 768u, 770u}) {
    Buffers b(3, channels, 1.0);
    // One channel is its own mean: the output is the bias, and only eps keeps the division finite.
    EXPECT_LT(b.error(1e-5f, true), kBound) << channels;
    if (channels > 1) {
      EXPECT_LT(b.error(1e-12f, false), kBound) << channels;
    }
  }
}

TEST_P(LayerNormTest, FillingChannelsBecomeZero) {
  Buffers b(2, 60, 1.0);
  layer_norm(b.tile(1e-12f, true));
  for (size_t c = 60; c < 64; ++c) EXPECT_EQ(b.out[64 + c], 0.0f);
}

TEST_P(LayerNormTest, EpsCountsWhereTheRowIsSmall) {
  Buffers b(2, 64, 1e-3);
  EXPECT_LT(b.error(1e-12f, false), kBound);
  layer_norm(b.tile(1e-5f, false));
  EXPECT_GT(
      relative_error(std::vector<float>(b.out.data(), b.out.data() + b.out.size()), b.expected),
      1e-2);
}

}  // namespace
}  // namespace m2
