#include "layers/filter_spectra.h"

#include <gtest/gtest.h>

#include <vector>

#include "kernels/layout.h"
#include "layers/small_model.h"
#include "layers/weights.h"

namespace m2 {
namespace {

constexpr size_t kSmall = 64, kLarge = 512;  // transform sizes
const char kPrefix[] = "bert.encoder.layer.0.attention.";

class SpectrumStoreTest : public testing::Test {
 protected:
  FilterPair filters() const { return {&gated_, &residual_}; }

  std::vector<float> spectra(SpectrumStore& store, size_t layer, size_t points) {
    const Spectra& found = store.get(layer, filters(), *fft_plan(points), pool_);
    return {found.data(), found.data() + found.size()};
  }

  size_t bytes(size_t points) const {
    return channel_blocks(gated_.channels()) * fft_plan(points)->spectrum_floats() * sizeof(float);
  }

  ThreadPool pool_{2};
  ModelConfig config_ = small_config();
  Weights weights_{config_, std::make_shared<MemoryTensors>(config_)};
  HyenaFilter gated_{weights_, std::string(kPrefix) + "filter_fn"};
  HyenaFilter residual_{weights_, std::string(kPrefix) + "filter_fn2"};
};

TEST_F(SpectrumStoreTest, KeepsWhatFitsAndMakesItOnce) {
  SpectrumStore store(3 * bytes(kSmall));
  const auto first = spectra(store, 0, kSmall);
  EXPECT_EQ(spectra(store, 0, kSmall), first);
  EXPECT_EQ(store.made(), 1u);
  EXPECT_EQ(store.kept_bytes(), bytes(kSmall));
}

TEST_F(SpectrumStoreTest, GivesTheSameBitsKeptOrNot) {
  SpectrumStore all(size_t{1} << 30), none(0);
  for (const size_t points : {kLarge, kSmall, kLarge, kSmall}) {
    EXPECT_EQ(spectra(all, 0, points), spectra(none, 0, points)) << points;
  }
  EXPECT_EQ(all.made(), 2u);
  EXPECT_EQ(none.made(), 4u);
  EXPECT_EQ(none.kept_bytes(), 0u);
}

TEST_F(SpectrumStoreTest, SmallTransformsPushOutLargeOnes) {
  SpectrumStore store(bytes(kLarge) + bytes(kSmall) / 2);
  spectra(store, 0, kLarge);
  spectra(store, 0, kSmall);
  EXPECT_EQ(store.kept_bytes(), bytes(kSmall));
  spectra(store, 0, kLarge);  // may not push out the small one
  EXPECT_EQ(store.kept_bytes(), bytes(kSmall));
}

TEST_F(SpectrumStoreTest, DoesNotDependOnTheThreads) {
  ThreadPool one(1);
  SpectrumStore store(0), other(0);
  const auto two_threads = spectra(store, 0, kLarge);
  const Spectra& one_thread = other.get(0, filters(), *fft_plan(kLarge), one);
  EXPECT_EQ(std::vector<float>(one_thread.data(), one_thread.data() + one_thread.size()),
            two_threads);
}

// The taps that exist end before half the transform: beyond them the kernel is zero.
TEST_F(SpectrumStoreTest, ATransformLongerThanTheFilterRepeatsNothing) {
  SpectrumStore store(0);
  const size_t points = transform_size(2 * gated_.longest() + 200);
  const auto long_spectra = spectra(store, 0, points);
  // Frequency 0 is the sum of all taps, which a longer transform does not change.
  const auto short_plan = fft_plan(transform_size(2 * gated_.longest()));
  const auto short_spectra = spectra(store, 0, short_plan->points);
  for (size_t c = 0; c < kChannelBlock; ++c) {
    const double from_long = long_spectra[c] * static_cast<double>(points);
    const double from_short = short_spectra[c] * static_cast<double>(short_plan->points);
    EXPECT_NEAR(from_long, from_short, 1e-5 * (1 + std::abs(from_short))) << c;
  }
}

}  // namespace
}  // namespace m2
