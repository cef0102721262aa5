#include "layers/filter_spectra.h"

#include <cmath>

#include "layers/filter_fixture.h"

namespace m2 {
namespace {

using SpectrumMakerTest = FilterFixture;

TEST_F(SpectrumMakerTest, DoesNotDependOnTheThreads) {
  ThreadPool one(1);
  EXPECT_EQ(make(kLarge, pool_), make(kLarge, one));
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
