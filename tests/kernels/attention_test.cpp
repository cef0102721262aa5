#include "kernels/attention.h"

#include "core/aligned_buffer.h"
#include "kernel_test.h"
#include "kernels/row_tile.h"

namespace m2 {
namespace {

class AttentionTest : public KernelTest {};
M2_INSTANTIATE_KERNEL_TEST(AttentionTest);

// A score is a sum of up to 96 products, its error a few roundings of its size (here up to ~10), so
// that weights are off by 1e-6 relative at worst; sums over values average that out.
constexpr double kBound = 2e-6;

struct Case {
  size_t channels, keys, length, first_query, queries;
  float slope;
};

struct Buffers {
  Case c;
  size_t blocks, stride;
  AlignedBuffer<float> q, k, v, key_bias, out, work;
  std::vector<double> expected;

  explicit Buffers(const Case& which)
      : c(which), blocks(channel_blocks(c.channels)), stride(c.keys * kChannelBlock) {
    fill(q, 1, false);
    fill(k, 2, true);
    fill(v, 3, false);
    key_bias.resize(c.keys);
    for (size_t j = 0; j < c.keys; ++j) key_bias[j] = j < c.length ? 0.0f : kMaskedKey;
    out.resize(blocks * stride);
    std::fill(out.data(), out.data() + out.size(), 7.0f);
    work.resize(attention_work_floats(blocks));
    expected.resize(c.queries * blocks * kChannelBlock);
  }

  void fill(AlignedBuffer<float>& buffer, uint64_t seed, bool transposed) const {
    const size_t width = blocks * kChannelBlock;
    std::vector<float> rows = random_floats(c.keys * width, seed, 1.5);
    for (size_t i = 0; i < rows.size(); ++i) {
      if (i % width >= c.channels) rows[i] = 0;
    }
    buffer.resize(blocks * stride);
    const RowTile shape = {c.keys, blocks, stride, width};
    (transposed ? scatter_tile_transposed : scatter_tile)(shape, rows.data(), buffer.data());
  }

  AttentionHead head() {
    const size_t at = c.first_query * kChannelBlock;
    const float scale = 1.0f / std::sqrt(static_cast<float>(c.channels));
    return {blocks,        stride,          c.first_query, c.queries,       c.keys,
            q.data() + at, k.data(),        v.data(),      key_bias.data(), scale,
            c.slope,       out.data() + at, work.data()};
  }

  std::vector<float> result() const {
    std::vector<float> rows(expected.size());
    for (size_t i = 0; i < rows.size(); ++i) {
      const size_t width = blocks * kChannelBlock, row = i / width, channel = i % width;
      rows[i] = out[channel / kChannelBlock * stride + (c.first_query + row) * kChannelBlock +
                    channel % kChannelBlock];
    }
    return rows;
  }

  double error() {
    reference::attention(head(), expected.data());
    attention(head());
    return relative_error(result(), expected);
  }
};

constexpr Case kCases[] = {
    {1, 16, 1, 0, 16, 0.0f},       {8, 16, 13, 0, 16, 0.5f},       {16, 32, 32, 16, 16, 0.0f},
    {17, 48, 40, 0, 48, 0.25f},    {32, 128, 128, 64, 64, 0.0f},   {48, 144, 130, 128, 16, 0.125f},
    {64, 256, 255, 192, 64, 0.0f}, {96, 272, 257, 0, 64, 0.0625f}, {64, 640, 600, 512, 48, 0.5f},
};

TEST_P(AttentionTest, MatchesTheReferenceAtAwkwardSizes) {
  for (const Case& c : kCases) {
    EXPECT_LT(Buffers(c).error(), kBound) << c.channels << " channels, " << c.length << " keys";
  }
}

TEST_P(AttentionTest, TheOutputMayTakeTheQueriesPlace) {
  Buffers apart(kCases[7]), in_place(kCases[7]);
  attention(apart.head());
  AttentionHead head = in_place.head();
  head.out = in_place.q.data();
  attention(head);
  for (size_t i = 0; i < 64 * kChannelBlock; ++i) EXPECT_EQ(in_place.q[i], apart.out[i]);
}

TEST_P(AttentionTest, AMaskedKeyHasNoWeightAtAll) {
  for (const Case& c : {kCases[3], kCases[8]}) {
    Buffers clean(c), dirty(c);
    // The first whole chunk of keys too: nothing may be left of a maximum that no key set.
    for (size_t j = 0; j < c.keys; ++j) {
      if (j != 5 && j < std::min<size_t>(200, c.length - 1)) {
        clean.key_bias[j] = dirty.key_bias[j] = kMaskedKey;
      }
    }
    for (size_t j = 0; j < c.keys; ++j) {
      if (clean.key_bias[j] != 0) {
        for (size_t lane = 0; lane < kChannelBlock; ++lane)
          dirty.v[j * kChannelBlock + lane] = 1e30f;
      }
    }
    EXPECT_LT(clean.error(), kBound);
    attention(dirty.head());
    EXPECT_EQ(dirty.result(), clean.result());
  }
}

TEST_P(AttentionTest, LargeScoresNeitherOverflowNorVanish) {
  Buffers b(kCases[6]);
  for (size_t i = 0; i < b.q.size(); ++i) b.q[i] *= 60;
  // Scores reach some hundreds, and an error of their last digit is one of the weight.
  EXPECT_LT(b.error(), 1e-4);
}

TEST_P(AttentionTest, AnotherSlopeAShiftedQueryOrASwappedKeyFails) {
  Buffers b(kCases[7]);
  ASSERT_LT(b.error(), kBound);
  AttentionHead head = b.head();
  head.slope *= 1.01f;
  attention(head);
  EXPECT_GT(relative_error(b.result(), b.expected), 10 * kBound);
  head = b.head();
  head.first_query += 1;  // the distances alone: q stays where it was
  attention(head);
  EXPECT_GT(relative_error(b.result(), b.expected), 10 * kBound);
  std::swap(b.k[3], b.k[4]);
  attention(b.head());
  EXPECT_GT(relative_error(b.result(), b.expected), 10 * kBound);
}

}  // namespace
}  // namespace m2
