#include "layers/filter_spectra.h"

#include <algorithm>
#include <cmath>

#include "core/random.h"
#include "layers/filter_fixture.h"

namespace m2 {
namespace {

class SpectrumMakerTest : public FilterFixture {
 protected:
  // Both ways to row 0 of a channel block of random signals, in relative L2. `shift` moves the taps
  // by floats, to be seen to matter.
  double difference_of_first_rows(const FftPlan& plan, size_t length, size_t channel_block,
                                  size_t shift) {
    SpectrumMaker maker;
    Spectra spectra;
    FirstTaps taps;
    maker.make(filters(), plan, DType::kF32, pool_, spectra);
    maker.make_first_taps(filters(), plan, pool_, taps);
    AlignedBuffer<float> signals[4], work(plan.workspace_floats());
    AlignedBuffer<float> short_filter(12 * kChannelBlock), out(length * kChannelBlock);
    Random random(length, "first row");
    const auto fill = [&](AlignedBuffer<float>& buffer, size_t count) {
      buffer.resize(count);
      for (size_t i = 0; i < count; ++i) buffer[i] = static_cast<float>(random.normal());
    };
    for (AlignedBuffer<float>& signal : signals) fill(signal, length * kChannelBlock);
    fill(short_filter, short_filter.size());
    LongConvBlock whole;
    whole.plan = &plan;
    whole.length = length;
    whole.x1 = signals[0].data();
    whole.x2 = signals[1].data();
    whole.v = signals[2].data();
    whole.short_filter = short_filter.data();
    whole.residual = signals[3].data();
    whole.out = out.data();
    whole.work = work.data();
    spectra.give(channel_block, plan, whole);
    long_conv(whole);
    AlignedBuffer<float> row(kChannelBlock);
    long_conv_first({length, whole.x1, whole.x2, whole.v, whole.short_filter, whole.residual,
                     taps.block(0, channel_block) + shift, taps.block(1, channel_block) + shift,
                     row.data()});
    double difference = 0, norm = 0;
    for (size_t c = 0; c < kChannelBlock; ++c) {
      const double expected = static_cast<double>(out[c]);
      difference += std::pow(static_cast<double>(row[c]) - expected, 2);
      norm += expected * expected;
    }
    return std::sqrt(difference / norm);
  }
};

TEST_F(SpectrumMakerTest, DoesNotDependOnTheThreads) {
  ThreadPool one(1);
  EXPECT_EQ(make(kLarge, pool_), make(kLarge, one));
}

TEST_F(SpectrumMakerTest, HalvesAreTheFloatsRounded) {
  const auto floats = make(kLarge, pool_), halves = make(kLarge, pool_, DType::kF16);
  ASSERT_EQ(halves.size(), floats.size());
  // To 11 bits, and to 2^-38 of the channel's largest, which is at most the largest of all.
  float largest = 0;
  for (const float x : floats) largest = std::max(largest, std::fabs(x));
  for (size_t at = 0; at < floats.size(); ++at) {
    ASSERT_NEAR(halves[at], floats[at], std::fabs(floats[at]) * 0x1p-11f + largest * 0x1p-38f)
        << at;
  }
  EXPECT_NE(halves, floats);
}

// Row 0 by its taps is the long convolution's row 0 by its spectra.
TEST_F(SpectrumMakerTest, FirstTapsGiveTheRowThatSpectraGive) {
  for (const size_t length : {1u, 2u, 33u, 64u, 65u, 129u, 300u}) {
    const auto plan = fft_plan(transform_size(2 * length));
    for (size_t b = 0; b < channel_blocks(gated_.channels()); ++b) {
      EXPECT_LT(difference_of_first_rows(*plan, length, b, 0), 2e-6) << length;
    }
  }
  EXPECT_GT(difference_of_first_rows(*fft_plan(512), 129, 0, kChannelBlock), 1e-2);
}

TEST_F(SpectrumMakerTest, FirstTapsOfAShorterTransformAreAPrefix) {
  SpectrumMaker maker;
  FirstTaps small, large;
  maker.make_first_taps(filters(), *fft_plan(kSmall), pool_, small);
  ThreadPool one(1);
  maker.make_first_taps(filters(), *fft_plan(kLarge), one, large);
  EXPECT_EQ(small.length, kSmall / 2);
  EXPECT_EQ(large.length, kLarge / 2);
  for (const size_t filter : {0u, 1u}) {
    for (size_t b = 0; b < small.blocks; ++b) {
      for (size_t i = 0; i < small.length * kChannelBlock; ++i) {
        ASSERT_EQ(small.block(filter, b)[i], large.block(filter, b)[i]) << i;
      }
    }
  }
}

TEST_F(SpectrumMakerTest, ACausalFiltersFirstRowSeesItselfAlone) {
  ModelConfig causal = config_;
  causal.bidirectional = false;
  const Weights weights(causal, std::make_shared<MemoryTensors>(causal));
  const HyenaFilter filter(weights, prefix_ + "filter_fn");
  SpectrumMaker maker;
  FirstTaps taps;
  maker.make_first_taps({&filter, nullptr}, *fft_plan(kLarge), pool_, taps);
  for (size_t i = 0; i < taps.length * kChannelBlock; ++i) {
    ASSERT_EQ(taps.block(0, 0)[i] != 0, i < kChannelBlock) << i;
  }
}

// The taps that exist end before half the transform: beyond them the kernel is zero.
TEST_F(SpectrumMakerTest, ATransformLongerThanTheFilterRepeatsNothing) {
  const size_t points = transform_size(2 * gated_.longest() + 200);
  const auto long_spectra = make(points, pool_);
  // Frequency 0 is the sum of all taps, which a longer transform does not change.
  const auto short_plan = fft_plan(transform_size(2 * gated_.longest()));
  const auto short_spectra = make(short_plan->points, pool_);
  for (size_t c = 0; c < kChannelBlock; ++c) {
    const double from_long = long_spectra[c] * static_cast<double>(points);
    const double from_short = short_spectra[c] * static_cast<double>(short_plan->points);
    EXPECT_NEAR(from_long, from_short, 1e-5 * (1 + std::abs(from_short))) << c;
  }
}

}  // namespace
}  // namespace m2
