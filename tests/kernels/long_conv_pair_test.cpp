#include "kernels/long_conv_pair.h"

#include "core/aligned_buffer.h"
#include "kernel_test.h"
#include "kernels/layout.h"
#include "kernels/long_conv.h"

namespace m2 {
namespace {

constexpr size_t kC = kChannelBlock;

// As LongConvTest's: three transforms of eps·sqrt(log2 N) each, here one more; the sums over texts
// and rows add nothing that grows in relative L2.
constexpr double kBound = 1e-6;

AlignedBuffer<float> aligned(const std::vector<float>& values) {
  AlignedBuffer<float> buffer(values.size());
  std::copy(values.begin(), values.end(), buffer.data());
  return buffer;
}

std::vector<float> copied(const AlignedBuffer<float>& buffer) {
  return {buffer.data(), buffer.data() + buffer.size()};
}

// Two circular kernels and two texts of one channel block; everything is [rows][16].
struct Case {
  size_t length;
  std::shared_ptr<const FftPlan> plan;
  std::vector<float> kernel1, kernel2;
  std::vector<float> x1[2], x2[2], dy1[2], dy2[2];

  Case(size_t rows, size_t points) : length(rows), plan(fft_plan(points)) {
    kernel1 = random_floats(points * kC, 1);
    kernel2 = random_floats(points * kC, 2);
    for (const unsigned text : {0u, 1u}) {
      x1[text] = random_floats(rows * kC, 3 + text);
      x2[text] = random_floats(rows * kC, 5 + text);
      dy1[text] = random_floats(rows * kC, 7 + text);
      dy2[text] = random_floats(rows * kC, 9 + text);
    }
  }

  // y[t] = Σ_s kernel[(t − s) mod N]·x[s]; with kTransposed the sum that is its gradient.
  template <bool kTransposed>
  std::vector<double> convolved(const std::vector<float>& kernel,
                                const std::vector<float>& x) const {
    const size_t points = plan->points;
    std::vector<double> y(length * kC, 0.0);
    for (size_t t = 0; t < length; ++t) {
      for (size_t s = 0; s < length; ++s) {
        const size_t lag = (kTransposed ? points + s - t : points + t - s) % points;
        for (size_t c = 0; c < kC; ++c) {
          y[t * kC + c] +=
              static_cast<double>(kernel[lag * kC + c]) * static_cast<double>(x[s * kC + c]);
        }
      }
    }
    return y;
  }

  // Σ_texts Σ_t dy[t]·x[t − lag] at every lag of the circle.
  std::vector<double> kernel_gradient(const std::vector<float> (&x)[2],
                                      const std::vector<float> (&dy)[2]) const {
    const size_t points = plan->points;
    std::vector<double> sum(points * kC, 0.0);
    for (const unsigned text : {0u, 1u}) {
      for (size_t t = 0; t < length; ++t) {
        for (size_t s = 0; s < length; ++s) {
          for (size_t c = 0; c < kC; ++c) {
            sum[(points + t - s) % points * kC + c] += static_cast<double>(dy[text][t * kC + c]) *
                                                       static_cast<double>(x[text][s * kC + c]);
          }
        }
      }
    }
    return sum;
  }

  AlignedBuffer<float> spectra(bool both) const {
    const AlignedBuffer<float> first = aligned(kernel1), second = aligned(kernel2);
    AlignedBuffer<float> spectrum(plan->spectrum_floats()), work(plan->workspace_floats());
    long_conv_spectrum(
        {plan.get(), first.data(), both ? second.data() : nullptr, spectrum.data(), work.data()});
    return spectrum;
  }
};

struct Found {
  std::vector<float> y1, y2, dx1, dx2, kernel1, kernel2;
};

// Text 0 forward; both texts backward, text 1's gradients written over its own.
Found run(const Case& c, bool both) {
  const AlignedBuffer<float> spectrum = c.spectra(both);
  AlignedBuffer<float> work(2 * c.plan->workspace_floats()), sums(c.plan->spectrum_floats());
  std::fill_n(sums.data(), sums.size(), 0.0f);
  AlignedBuffer<float> y1(c.length * kC), y2(c.length * kC);
  AlignedBuffer<float> dx1, dx2;
  for (const unsigned text : {0u, 1u}) {
    const AlignedBuffer<float> x1 = aligned(c.x1[text]), x2 = aligned(c.x2[text]);
    if (text == 0) {
      long_conv_pair({c.plan.get(), c.length, x1.data(), both ? x2.data() : nullptr,
                      spectrum.data(), y1.data(), both ? y2.data() : nullptr, work.data()});
    }
    dx1 = aligned(c.dy1[text]);
    dx2 = aligned(c.dy2[text]);
    LongConvPairGradient block;
    block.plan = c.plan.get();
    block.length = c.length;
    block.x1 = x1.data();
    block.dy1 = block.dx1 = dx1.data();
    if (both) {
      block.x2 = x2.data();
      block.dy2 = block.dx2 = dx2.data();
    }
    block.spectrum = spectrum.data();
    block.spectrum_gradient = sums.data();
    block.work = work.data();
    long_conv_pair_gradient(block);
  }
  AlignedBuffer<float> kernel1(c.plan->points * kC), kernel2(c.plan->points * kC);
  long_conv_kernel_gradient(
      {c.plan.get(), sums.data(), kernel1.data(), both ? kernel2.data() : nullptr, work.data()});
  return {copied(y1), copied(y2), copied(dx1), copied(dx2), copied(kernel1), copied(kernel2)};
}

void expect_close(const Case& c, const Found& found, bool both) {
  EXPECT_LT(relative_error(found.y1, c.convolved<false>(c.kernel1, c.x1[0])), kBound);
  EXPECT_LT(relative_error(found.dx1, c.convolved<true>(c.kernel1, c.dy1[1])), kBound);
  EXPECT_LT(relative_error(found.kernel1, c.kernel_gradient(c.x1, c.dy1)), kBound);
  if (!both) return;
  EXPECT_LT(relative_error(found.y2, c.convolved<false>(c.kernel2, c.x2[0])), kBound);
  EXPECT_LT(relative_error(found.dx2, c.convolved<true>(c.kernel2, c.dy2[1])), kBound);
  EXPECT_LT(relative_error(found.kernel2, c.kernel_gradient(c.x2, c.dy2)), kBound);
}

class LongConvPairTest : public KernelTest {};
M2_INSTANTIATE_KERNEL_TEST(LongConvPairTest);

TEST_P(LongConvPairTest, MatchesDirectSumsAtEveryLength) {
  for (const size_t length : {1u, 2u, 3u, 7u, 31u, 64u, 127u, 129u, 300u}) {
    SCOPED_TRACE(length);
    const Case c(length, transform_size(2 * length));
    expect_close(c, run(c, true), true);
    expect_close(c, run(c, false), false);
  }
}

TEST_P(LongConvPairTest, EveryTransformSizeWorks) {
  for (size_t points = transform_size(1); points <= 1024; points = transform_size(points + 1)) {
    SCOPED_TRACE(points);
    const Case c(std::min<size_t>(points / 2, 90), points);
    expect_close(c, run(c, true), true);
  }
}

// A gradient that is not conjugated is the convolution itself: the bound sees the difference.
TEST_P(LongConvPairTest, TheConvolutionItselfIsNotItsGradient) {
  const Case c(129, transform_size(258));
  EXPECT_GT(relative_error(run(c, true).dx1, c.convolved<false>(c.kernel1, c.dy1[1])), 0.1);
}

}  // namespace
}  // namespace m2
