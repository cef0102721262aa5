#include "kernels/long_conv.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "core/aligned_buffer.h"
#include "core/dtype.h"
#include "kernel_test.h"
#include "kernels/layout.h"

namespace m2 {
namespace {

constexpr size_t kC = kChannelBlock;

AlignedBuffer<float> aligned(const std::vector<float>& values) {
  AlignedBuffer<float> buffer(values.size());
  std::copy(values.begin(), values.end(), buffer.data());
  return buffer;
}

// One channel block of random signals and filters, with both ways to convolve it.
struct Case {
  size_t length;
  std::shared_ptr<const FftPlan> plan;
  AlignedBuffer<float> x1, x2, v, u, short_filter;
  std::vector<float> k1, k1_rev, k2, k2_rev, d1, d2;

  Case(size_t rows, size_t points) : length(rows), plan(fft_plan(points)) {
    x1 = aligned(random_floats(rows * kC, 1));
    x2 = aligned(random_floats(rows * kC, 2));
    v = aligned(random_floats(rows * kC, 3));
    u = aligned(random_floats(rows * kC, 4));
    short_filter = aligned(random_floats(12 * kC, 5));
    const size_t taps = points / 2;
    k1 = random_floats(taps * kC, 6);
    k1_rev = random_floats(taps * kC, 7);
    k2 = random_floats(taps * kC, 8);
    k2_rev = random_floats(taps * kC, 9);
    d1 = random_floats(kC, 10);
    d2 = random_floats(kC, 11);
  }

  LongConvBlock block() {
    LongConvBlock b;
    b.plan = plan.get();
    b.length = length;
    b.x1 = x1.data();
    b.x2 = x2.data();
    b.v = v.data();
    b.short_filter = short_filter.data();
    b.residual = u.data();
    return b;
  }

  static AlignedBuffer<float> circular(size_t points, const std::vector<float>& k,
                                       const std::vector<float>& k_rev,
                                       const std::vector<float>& d) {
    AlignedBuffer<float> kernel(points * kC);
    for (size_t c = 0; c < kC; ++c) {
      for (size_t i = 0; i < points / 2; ++i) {
        kernel[i * kC + c] = k[i * kC + c] + (i == 0 ? d[c] : 0.0f);
        kernel[(points - 1 - i) * kC + c] = k_rev[i * kC + c];
      }
    }
    return kernel;
  }

  // Both spectra in fp32, by channels of all positions.
  AlignedBuffer<float> spectra(bool residual, bool shifted = false) const {
    const size_t points = plan->points;
    AlignedBuffer<float> work(plan->workspace_floats()), spectrum(plan->spectrum_floats());
    AlignedBuffer<float> first = circular(points, k1, k1_rev, d1);
    if (shifted) {
      std::rotate(first.data(), first.data() + (points - 1) * kC, first.data() + points * kC);
    }
    const AlignedBuffer<float> second = circular(points, k2, k2_rev, d2);
    long_conv_spectrum({plan.get(), first.data(), residual ? second.data() : nullptr,
                        spectrum.data(), work.data()});
    return spectrum;
  }

  std::vector<float> run(LongConvBlock b, bool residual) const {
    AlignedBuffer<float> work(plan->workspace_floats()), out(length * kC);
    if (!residual) b.residual = nullptr;
    b.work = work.data();
    b.out = out.data();
    long_conv(b);
    return {out.data(), out.data() + out.size()};
  }

  std::vector<float> run(bool residual, bool shifted = false) {
    const AlignedBuffer<float> spectrum = spectra(residual, shifted);
    LongConvBlock b = block();
    b.spectrum = spectrum.data();
    return run(b, residual);
  }

  std::vector<float> run_in_half(bool residual) {
    const AlignedBuffer<float> spectrum = spectra(residual);
    AlignedBuffer<uint16_t> half(spectrum.size());
    AlignedBuffer<float> scales(2 * kC);
    round_spectrum_to_half({spectrum.size(), spectrum.data(), half.data(), scales.data()});
    LongConvBlock b = block();
    b.half_spectrum = half.data();
    b.half_scales = scales.data();
    return run(b, residual);
  }

  // Row 0 by direct sums in fp32, and its reference. `shift` moves the taps by rows.
  std::pair<std::vector<float>, std::vector<double>> run_first(bool residual, size_t shift = 0) {
    const auto seen = [&](const std::vector<float>& k, const std::vector<float>& k_rev,
                          const std::vector<float>& d) {
      AlignedBuffer<float> taps(length * kC);
      for (size_t at = 0; at < length * kC; ++at) {
        taps[at] = at < kC ? k[at] + d[at] : k_rev[at - kC];
      }
      std::rotate(taps.data(), taps.data() + shift * kC, taps.data() + taps.size());
      return taps;
    };
    const AlignedBuffer<float> a = seen(k1, k1_rev, d1), b = seen(k2, k2_rev, d2);
    LongConvFirst first = {length, x1.data(), x2.data(), v.data(), short_filter.data()};
    first.residual = residual ? u.data() : nullptr;
    first.gated_taps = a.data();
    first.residual_taps = residual ? b.data() : nullptr;
    AlignedBuffer<float> out(kC);
    first.out = out.data();
    long_conv_first(first);
    std::vector<double> expected_row(kC);
    reference::long_conv_first(first, expected_row.data());
    return {{out.data(), out.data() + kC}, expected_row};
  }

  // One row of one channel, by the sums that define it.
  double expected_at(size_t t, size_t channel) const {
    const auto short_conv = [&](const AlignedBuffer<float>& rows, size_t signal, size_t at) {
      const float* taps = short_filter.data() + signal * 4 * kC + channel;
      double sum = static_cast<double>(taps[3 * kC]);
      for (size_t back = 0; back < 3 && back <= at; ++back) {
        sum += static_cast<double>(taps[(2 - back) * kC]) *
               static_cast<double>(rows[(at - back) * kC + channel]);
      }
      return sum;
    };
    double gated = 0, residual = 0;
    for (size_t s = 0; s < length; ++s) {
      const size_t tap = (s <= t ? t - s : s - t - 1) * kC + channel;
      const double in = short_conv(x1, 0, s) * short_conv(v, 2, s);
      const double out = static_cast<double>(u[s * kC + channel]);
      gated += static_cast<double>(s <= t ? k1[tap] : k1_rev[tap]) * in;
      residual += static_cast<double>(s <= t ? k2[tap] : k2_rev[tap]) * out;
      if (s == t) {
        gated += static_cast<double>(d1[channel]) * in;
        residual += static_cast<double>(d2[channel]) * out;
      }
    }
    return gated * short_conv(x2, 1, t) + residual;
  }

  std::vector<double> expected(bool residual) {
    std::vector<double> out(length * kC);
    LongConvBlock b = block();
    if (!residual) b.residual = nullptr;
    reference::long_conv(
        b, {k1.data(), k1_rev.data(), d1.data(), k2.data(), k2_rev.data(), d2.data()}, out.data());
    return out;
  }
};

// An fp32 FFT of N points loses about eps·sqrt(log2 N) in relative L2 (eps = 6e-8), thrice here
// (two transforms and the filter's), the gates a few eps more: below 1e-6 up to N = 4096.
constexpr double kBound = 1e-6;

class LongConvTest : public KernelTest {};
M2_INSTANTIATE_KERNEL_TEST(LongConvTest);

TEST_P(LongConvTest, MatchesDirectSumsAtEveryLength) {
  for (const size_t length : {1u, 2u, 3u, 7u, 8u, 9u, 31u, 64u, 127u, 128u, 129u, 257u, 600u}) {
    Case c(length, transform_size(2 * length));
    EXPECT_LT(relative_error(c.run(true), c.expected(true)), kBound) << length;
    EXPECT_LT(relative_error(c.run(false), c.expected(false)), kBound) << length;
  }
}

TEST_P(LongConvTest, EveryTransformSizeWorks) {
  for (size_t points = transform_size(1); points <= 1024; points = transform_size(points + 1)) {
    Case c(points / 2, points);
    EXPECT_LT(relative_error(c.run(true), c.expected(true)), kBound) << points;
  }
}

// The longest published length, at sampled rows: all of them would take minutes by direct sums.
TEST_P(LongConvTest, MatchesDirectSumsAtFullLength) {
  constexpr size_t kLength = 32768;
  Case c(kLength, 2 * kLength);
  const std::vector<float> found = c.run(true);
  std::vector<double> expected, sampled;
  for (const size_t t : {size_t{0}, size_t{1}, size_t{2}, size_t{255}, size_t{256}, size_t{16383},
                         size_t{16384}, size_t{20011}, kLength - 2, kLength - 1}) {
    for (const size_t channel : {size_t{0}, kC - 1}) {
      expected.push_back(c.expected_at(t, channel));
      sampled.push_back(static_cast<double>(found[t * kC + channel]));
    }
  }
  // As above with log2 N = 16: three transforms of 6e-8·4.
  EXPECT_LT(relative_error(sampled, expected), 1.5e-6);
}

TEST_P(LongConvTest, AShorterTextUsesTheSameSpectrum) {
  Case c(50, 480);
  EXPECT_LT(relative_error(c.run(true), c.expected(true)), kBound);
}

// A copy of rows whose end is the end of what may be read: the page behind it is forbidden.
class GuardedRows {
 public:
  explicit GuardedRows(const AlignedBuffer<float>& rows) {
    const size_t bytes = rows.size() * sizeof(float);
    readable_ = round_up(bytes, kPage);
    pages_ = static_cast<std::byte*>(mmap(nullptr, readable_ + kPage, PROT_READ | PROT_WRITE,
                                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    EXPECT_EQ(mprotect(pages_ + readable_, kPage, PROT_NONE), 0);
    std::memcpy(pages_ + readable_ - bytes, rows.data(), bytes);
    data_ = reinterpret_cast<const float*>(pages_ + readable_ - bytes);
  }
  ~GuardedRows() { munmap(pages_, readable_ + kPage); }
  GuardedRows(const GuardedRows&) = delete;
  GuardedRows& operator=(const GuardedRows&) = delete;
  const float* data() const { return data_; }

 private:
  static constexpr size_t kPage = 4096;
  size_t readable_;
  std::byte* pages_;
  const float* data_;
};

// The transform is far longer than the text; behind it may lie another thread's rows, or nothing.
TEST_P(LongConvTest, ReadsNothingBehindTheText) {
  for (const size_t length : {1u, 2u, 3u, 65u}) {
    Case c(length, 4096);
    const AlignedBuffer<float> spectrum = c.spectra(true);
    const GuardedRows x1(c.x1), x2(c.x2), v(c.v), u(c.u);
    LongConvBlock b = c.block();
    b.spectrum = spectrum.data();
    b.x1 = x1.data();
    b.x2 = x2.data();
    b.v = v.data();
    b.residual = u.data();
    EXPECT_EQ(c.run(b, true), c.run(true)) << length;
  }
}

TEST_P(LongConvTest, AFilterShiftedByOneFails) {
  Case c(129, transform_size(258));
  EXPECT_GT(relative_error(c.run(true, true), c.expected(true)), 0.1);
}

// Rounding to 11 significant bits loses at most 2^-11 of each part of the spectrum.
constexpr double kHalfBound = 0x1p-11;

TEST_P(LongConvTest, HalfPrecisionSpectraLoseWhatRoundingDoes) {
  for (const size_t length : {1u, 3u, 64u, 129u, 600u}) {
    Case c(length, transform_size(2 * length));
    for (const bool residual : {true, false}) {
      const double error = relative_error(c.run_in_half(residual), c.expected(residual));
      EXPECT_LT(error, kHalfBound) << length;
      EXPECT_GT(error, 1e-5) << length;  // or the spectrum was fp32's
    }
  }
}

TEST_P(LongConvTest, HalfPrecisionHasAScaleForEachChannel) {
  Case c(129, transform_size(258));
  // Far below fp16's smallest number and far above its largest.
  for (size_t at = 0; at < c.k1.size(); ++at) {
    const float scale = std::ldexp(1.0f, static_cast<int>(at % kC) * 8 - 60);
    c.k1[at] *= scale;
    c.k1_rev[at] *= scale;
    c.d1[at % kC] = 0;
  }
  const auto found = c.run_in_half(false);
  const auto expected = c.expected(false);
  for (size_t channel = 0; channel < kC; ++channel) {
    std::vector<float> x;
    std::vector<double> y;
    for (size_t at = channel; at < found.size(); at += kC) {
      x.push_back(found[at]);
      y.push_back(expected[at]);
    }
    EXPECT_LT(relative_error(x, y), kHalfBound) << channel;
  }
}

TEST_P(LongConvTest, HalfPrecisionRoundsToNearestEven) {
  Case c(50, 480);
  const AlignedBuffer<float> spectrum = c.spectra(true);
  AlignedBuffer<uint16_t> half(spectrum.size());
  AlignedBuffer<float> scales(2 * kC);
  round_spectrum_to_half({spectrum.size(), spectrum.data(), half.data(), scales.data()});
  for (size_t at = 0; at < spectrum.size(); ++at) {
    const float scale = scales[at / (2 * kC) % 2 * kC + at % kC];
    const float scaled = spectrum[at] / scale;
    ASSERT_LE(std::fabs(scaled), 0x1p15f) << at;
    if (std::fabs(scaled) < 0x1p-14f) continue;  // where some instruction sets cut
    ASSERT_EQ(half[at], float_to_f16(scaled)) << at;
  }
}

TEST_P(LongConvTest, HalfPrecisionShowsWhatIsNotFinite) {
  for (const float bad :
       {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    AlignedBuffer<float> spectrum(8 * kC), scales(2 * kC);
    std::fill(spectrum.data(), spectrum.data() + spectrum.size(), 1.0f);
    spectrum[4 * kC + 3] = bad;
    AlignedBuffer<uint16_t> half(spectrum.size());
    round_spectrum_to_half({spectrum.size(), spectrum.data(), half.data(), scales.data()});
    for (size_t i = 0; i < 2 * kC; ++i) EXPECT_EQ(std::isnan(scales[i]), i == 3) << i;
  }
}

// A partial sum takes 64 rows, a total length/256 chunks: a few eps in relative L2 (random signs:
// half of sqrt(64)), as the transform's own error.
TEST_P(LongConvTest, FirstRowMatchesTheReferenceAndTheTransform) {
  for (const size_t length : {1u, 2u, 3u, 4u, 5u, 127u, 255u, 256u, 257u, 259u, 600u}) {
    Case c(length, transform_size(2 * length));
    for (const bool residual : {true, false}) {
      const auto [found, expected] = c.run_first(residual);
      EXPECT_LT(relative_error(found, expected), kBound) << length;
      const std::vector<float> whole = c.run(residual);
      EXPECT_LT(relative_error(std::vector<float>(whole.data(), whole.data() + kC), expected),
                2 * kBound)
          << length;
    }
  }
}

TEST_P(LongConvTest, FirstRowOfAFullLengthStaysExact) {
  Case c(32768, 65536);
  const auto [found, expected] = c.run_first(true);
  EXPECT_LT(relative_error(found, expected), kBound);
}

TEST_P(LongConvTest, FirstRowWithTapsShiftedByOneFails) {
  Case c(129, transform_size(258));
  EXPECT_GT(relative_error(c.run_first(true, 1).first, c.run_first(true).second), 0.1);
}

TEST(TransformSize, StepsByAtMostAQuarter) {
  for (size_t points = 16; points < 1u << 18; points = transform_size(points + 1)) {
    EXPECT_LE(transform_size(points + 1), points + points / 4 + 8);
    EXPECT_EQ(transform_size(points), points);
  }
}

}  // namespace
}  // namespace m2
