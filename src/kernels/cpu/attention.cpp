#include "kernels/attention.h"

#include <algorithm>
#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/attention.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/cpu/vector_math-inl.h"
#include "kernels/isa.h"

#ifndef M2_KERNELS_CPU_ATTENTION_SIZES
#define M2_KERNELS_CPU_ATTENTION_SIZES
namespace m2 {
namespace {

// Keys whose scores are held at once: with their values they fit the innermost caches.
constexpr size_t kChunkKeys = 128;
constexpr size_t kPanel = kChannelBlock * kChannelBlock;  // floats of 16 keys by 16 channels
constexpr size_t kMostRows = 8;                           // queries computed together
constexpr float kNoMaximum = -1e20f;                      // above kMaskedKey, below any score

}  // namespace
}  // namespace m2
#endif

HWY_BEFORE_NAMESPACE();
namespace m2 {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
namespace {

using Tag = hn::CappedTag<float, kChannelBlock>;
using Vector = hn::Vec<Tag>;

// Accumulators that the registers hold: 8 × 2 of AVX-512's 32, 4 × 2 of 16.
constexpr size_t kRows = HWY_MAX_BYTES >= 64 ? kMostRows : 4;
constexpr size_t kVectors = 2;

// sums[r][v] += Σ_t a[r][t]·b[v][t] over 16 steps: a's rows are a_stride apart, b[v]'s 16.
template <size_t kWidth>
HWY_INLINE void MultiplyPanel(const float* a, size_t a_stride, const float* const (&b)[kWidth],
                              Vector (&sums)[kRows][kWidth]) {
  const Tag d;
  for (size_t t = 0; t < kChannelBlock; ++t) {
    Vector right[kWidth];
#pragma GCC unroll 2
    for (size_t v = 0; v < kWidth; ++v) right[v] = hn::Load(d, b[v] + t * kChannelBlock);
#pragma GCC unroll 8
    for (size_t r = 0; r < kRows; ++r) {
      const Vector left = hn::Set(d, a[r * a_stride + t]);
#pragma GCC unroll 2
      for (size_t v = 0; v < kWidth; ++v) sums[r][v] = hn::MulAdd(left, right[v], sums[r][v]);
    }
  }
}

// Where lane number `lane` of a row of 16-lane blocks lies, blocks being `stride` apart.
HWY_INLINE size_t VectorOffset(size_t lane, size_t stride) {
  return lane / kChannelBlock * stride + lane % kChannelBlock;
}

// The queries that are computed together, and what is known of each.
struct RowGroup {
  size_t first = 0;  // within the call
  float* scores;     // [kRows][kChunkKeys]
  float* sums;       // [kRows][channels]: of weighted values
  float* largest;    // [kRows]
  float* weights;    // [kRows]: sum of the weights
};

// Scores of kWidth vectors of keys from `key` on, in units of log2.
template <size_t kWidth>
HWY_INLINE void ScoreVectors(const AttentionHead& head, const RowGroup& group, size_t first_key,
                             size_t key) {
  const Tag d;
  const size_t lanes = hn::Lanes(d);
  constexpr float kLog2E = 1.44269504f;
  Vector sums[kRows][kWidth];
  for (auto& row : sums) {
    for (Vector& sum : row) sum = hn::Zero(d);
  }
  for (size_t block = 0; block < head.channel_blocks; ++block) {
    const float* panels[kWidth];
    for (size_t v = 0; v < kWidth; ++v) {
      panels[v] =
          head.k + block * head.block_stride + VectorOffset(first_key + key + v * lanes, kPanel);
    }
    MultiplyPanel<kWidth>(head.q + block * head.block_stride + group.first * kChannelBlock,
                          kChannelBlock, panels, sums);
  }
  const Vector scale = hn::Set(d, head.scale * kLog2E), slope = hn::Set(d, -head.slope * kLog2E);
  for (size_t v = 0; v < kWidth; ++v) {
    const size_t position = first_key + key + v * lanes;
    const Vector bias = hn::LoadU(d, head.key_bias + position);
    const Vector place = hn::Iota(d, static_cast<float>(position));
    for (size_t r = 0; r < kRows; ++r) {
      const float query = static_cast<float>(head.first_query + group.first + r);
      const Vector distance = hn::Abs(hn::Sub(place, hn::Set(d, query)));
      const Vector score = hn::MulAdd(sums[r][v], scale, hn::MulAdd(distance, slope, bias));
      hn::Store(score, d, group.scores + r * kChunkKeys + key + v * lanes);
    }
  }
}

// 2^x, exactly 0 below the range of Exp2.
HWY_INLINE Vector Weight(Vector x) {
  const Tag d;
  const Vector lowest = hn::Set(d, -126.0f);
  return hn::IfThenElseZero(hn::Ge(x, lowest), Exp2(d, hn::Max(x, lowest)));
}

// Scores of one row become weights; the sums so far are brought to the new maximum.
HWY_INLINE void WeightRow(const RowGroup& group, size_t row, size_t keys, size_t channels) {
  const Tag d;
  const size_t lanes = hn::Lanes(d);
  float* scores = group.scores + row * kChunkKeys;
  Vector most = hn::Set(d, group.largest[row]);
  for (size_t key = 0; key < keys; key += lanes) most = hn::Max(most, hn::Load(d, scores + key));
  const Vector largest = hn::MaxOfLanes(d, most);
  Vector total = hn::Zero(d);
  for (size_t key = 0; key < keys; key += lanes) {
    const Vector weight = Weight(hn::Sub(hn::Load(d, scores + key), largest));
    total = hn::Add(total, weight);
    hn::Store(weight, d, scores + key);
  }
  const Vector rescale = Weight(hn::Sub(hn::Set(d, group.largest[row]), largest));
  for (size_t channel = 0; channel < channels; channel += lanes) {
    float* sum = group.sums + row * channels + channel;
    hn::Store(hn::Mul(hn::Load(d, sum), rescale), d, sum);
  }
  group.weights[row] =
      group.weights[row] * hn::GetLane(rescale) + hn::GetLane(hn::SumOfLanes(d, total));
  group.largest[row] = hn::GetLane(largest);
}

// Adds the weighted values of one chunk to kWidth vectors of channels from `channel` on.
template <size_t kWidth>
HWY_INLINE void AddValues(const AttentionHead& head, const RowGroup& group, size_t first_key,
                          size_t keys, size_t channel) {
  const Tag d;
  const size_t lanes = hn::Lanes(d), channels = head.channel_blocks * kChannelBlock;
  Vector sums[kRows][kWidth];
  for (size_t r = 0; r < kRows; ++r) {
    for (size_t v = 0; v < kWidth; ++v) {
      sums[r][v] = hn::Load(d, group.sums + r * channels + channel + v * lanes);
    }
  }
  for (size_t key = 0; key < keys; key += kChannelBlock) {
    const float* rows[kWidth];
    for (size_t v = 0; v < kWidth; ++v) {
      rows[v] = head.v + VectorOffset(channel + v * lanes, head.block_stride) +
                (first_key + key) * kChannelBlock;
    }
    MultiplyPanel<kWidth>(group.scores + key, kChunkKeys, rows, sums);
  }
  for (size_t r = 0; r < kRows; ++r) {
    for (size_t v = 0; v < kWidth; ++v) {
      hn::Store(sums[r][v], d, group.sums + r * channels + channel + v * lanes);
    }
  }
}

void AddChunk(const AttentionHead& head, const RowGroup& group, size_t first_key, size_t keys) {
  const size_t lanes = hn::Lanes(Tag()), step = kVectors * lanes;
  const size_t channels = head.channel_blocks * kChannelBlock;
  size_t key = 0;
  for (; key + step <= keys; key += step) ScoreVectors<kVectors>(head, group, first_key, key);
  for (; key < keys; key += lanes) ScoreVectors<1>(head, group, first_key, key);
  for (size_t row = 0; row < kRows; ++row) WeightRow(group, row, keys, channels);
  size_t channel = 0;
  for (; channel + step <= channels; channel += step) {
    AddValues<kVectors>(head, group, first_key, keys, channel);
  }
  for (; channel < channels; channel += lanes) {
    AddValues<1>(head, group, first_key, keys, channel);
  }
}

void WriteRows(const AttentionHead& head, const RowGroup& group) {
  const Tag d;
  const size_t lanes = hn::Lanes(d), channels = head.channel_blocks * kChannelBlock;
  for (size_t r = 0; r < kRows; ++r) {
    const Vector inverse = hn::Set(d, group.weights[r] > 0 ? 1.0f / group.weights[r] : 0.0f);
    float* out = head.out + (group.first + r) * kChannelBlock;
    for (size_t channel = 0; channel < channels; channel += lanes) {
      hn::Store(hn::Mul(hn::Load(d, group.sums + r * channels + channel), inverse), d,
                out + VectorOffset(channel, head.block_stride));
    }
  }
}

}  // namespace

void Attention(const AttentionHead& head) {
  const size_t channels = head.channel_blocks * kChannelBlock;
  float* scores = head.work;
  float* sums = scores + kRows * kChunkKeys;
  float* largest = sums + kAttentionQueries * channels;
  float* weights = largest + kAttentionQueries;
  std::fill_n(sums, head.queries * channels, 0.0f);
  std::fill_n(largest, head.queries, kNoMaximum);
  std::fill_n(weights, head.queries, 0.0f);
  const auto group_at = [&](size_t row) {
    return RowGroup{row, scores, sums + row * channels, largest + row, weights + row};
  };
  for (size_t key = 0; key < head.keys; key += kChunkKeys) {
    const size_t keys = std::min(kChunkKeys, head.keys - key);
    for (size_t row = 0; row < head.queries; row += kRows) {
      AddChunk(head, group_at(row), key, keys);
    }
  }
  for (size_t row = 0; row < head.queries; row += kRows) WriteRows(head, group_at(row));
}

}  // namespace HWY_NAMESPACE
}  // namespace m2
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace m2 {
namespace {
HWY_EXPORT(Attention);
}  // namespace

size_t attention_work_floats(size_t channel_blocks) {
  return kMostRows * kChunkKeys + kAttentionQueries * (channel_blocks * kChannelBlock + 2);
}

void attention(const AttentionHead& head) {
  current_isa();
  HWY_DYNAMIC_DISPATCH(Attention)(head);
}

}  // namespace m2
#endif
