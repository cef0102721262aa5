#include "kernels/hyena_filter.h"

#include <numeric>

#include "core/aligned_buffer.h"
#include "kernel_test.h"
#include "kernels/layout.h"

namespace m2 {
namespace {

class HyenaFilterTest : public KernelTest {};
M2_INSTANTIATE_KERNEL_TEST(HyenaFilterTest);

AlignedBuffer<float> aligned(const std::vector<float>& values) {
  AlignedBuffer<float> buffer(values.size());
  std::copy(values.begin(), values.end(), buffer.data());
  return buffer;
}

TEST_P(HyenaFilterTest, SineMatchesTheReference) {
  for (const size_t channels : {16u, 24u, 128u}) {
    const size_t stride = round_up(channels, kChannelBlock);
    auto x = aligned(random_floats(5 * stride, 1));
    const auto frequency = aligned(random_floats(stride, 2, 10.0));
    const SineTile tile = {5, channels, stride, frequency.data(), x.data()};
    std::vector<double> expected(5 * stride);
    reference::filter_sine(tile, expected.data());
    filter_sine(tile);
    for (size_t row = 0; row < 5; ++row) {
      for (size_t c = 0; c < channels; ++c) {
        // The angle, up to 60 here, is rounded once before the sine: half of 2^-18 in absolute
        // terms; the sine itself is good to 2e-7.
        ASSERT_NEAR(x[row * stride + c], expected[row * stride + c], 3e-6);
      }
    }
  }
}

TEST_P(HyenaFilterTest, DecayMatchesTheReferenceBothWays) {
  constexpr size_t kRows = 37, kStride = 48;
  const auto taps = aligned(random_floats(kRows * kStride, 1));
  const auto time = random_floats(kRows, 2);
  std::vector<float> times(kRows);
  for (size_t i = 0; i < kRows; ++i) times[i] = std::fabs(time[i]);
  const auto delta = aligned(random_floats(kChannelBlock, 3, 10.0));
  for (const ptrdiff_t step : {ptrdiff_t{16}, ptrdiff_t{-16}}) {
    AlignedBuffer<float> kernel(kRows * kChannelBlock);
    DecayBlock block = {
        kRows,        kStride,      taps.data() + 16,
        times.data(), delta.data(), kernel.data() + (step > 0 ? 0 : (kRows - 1) * kChannelBlock),
        step};
    std::vector<double> expected(kRows * kChannelBlock);
    reference::filter_decay(block, expected.data());
    filter_decay(block);
    std::vector<float> found(kRows * kChannelBlock);
    for (size_t row = 0; row < kRows; ++row) {
      const size_t place = step > 0 ? row : kRows - 1 - row;
      for (size_t c = 0; c < kChannelBlock; ++c) {
        found[row * kChannelBlock + c] = kernel[place * kChannelBlock + c];
      }
    }
    // exp's argument, up to 30 here, is rounded once: 30·6e-8 relative in the worst element.
    EXPECT_LT(relative_error(found, expected), 1e-6);
  }
}

}  // namespace
}  // namespace m2
