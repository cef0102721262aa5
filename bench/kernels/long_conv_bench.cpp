// Both long convolutions of a layer, for the 16 channels of a block, against FFTW (single
// precision, FFTW_MEASURE) on the same transform size N and texts of N/2 rows.
//
//   long_conv         the kernel, whole: short filter, gates, transforms, product with the spectra
//   fftw/convolution  FFTW's transforms and the product with the spectra; no short filter, no gates
//   fftw/transforms   FFTW's transforms alone, always in the same buffers
//
// FFTW transforms, a channel: both signals forward as real ones, and one complex inverse whose real
// part is the first convolution, whose imaginary part the second. Its signals lie channel by
// channel, which suits it best; its padding is zero once and for all.
#include "kernels/long_conv.h"

#include <fftw3.h>

#include <memory>
#include <vector>

#include "kernel_bench.h"
#include "kernels/layout.h"

namespace m2 {
namespace {

constexpr size_t kC = kChannelBlock;
// Four transforms' worth of rounding, each eps·sqrt(log2 N) with eps = 6e-8.
constexpr double kBound = 2e-6;

// A block's signals and circular kernels of N points, rows of 16 channels. What the kernel does
// beside convolving is set to change nothing: x1 = x2 = 1 and a short filter of one tap.
struct Signals {
  size_t points, length;
  AlignedBuffer<float> ones, v, u, short_filter, kernel1, kernel2;

  explicit Signals(size_t n)
      : points(n),
        length(n / 2),
        ones(length * kC),
        v(random_buffer(length * kC, 1)),
        u(random_buffer(length * kC, 2)),
        short_filter(12 * kC),
        kernel1(random_buffer(points * kC, 3)),
        kernel2(random_buffer(points * kC, 4)) {
    std::fill(ones.data(), ones.data() + ones.size(), 1.0f);
    for (size_t i = 0; i < short_filter.size(); ++i) {
      short_filter[i] = i / kC % 4 == 2 ? 1.0f : 0.0f;  // the tap of the row itself
    }
  }
};

class Kernel {
 public:
  explicit Kernel(const Signals& signals)
      : plan_(fft_plan(signals.points)),
        spectrum_(plan_->spectrum_floats()),
        work_(plan_->workspace_floats()),
        out_(signals.length * kC) {
    long_conv_spectrum({plan_.get(), signals.kernel1.data(), signals.kernel2.data(),
                        spectrum_.data(), work_.data()});
    block_ = {plan_.get(),         signals.length,   signals.ones.data(),
              signals.ones.data(), signals.v.data(), signals.short_filter.data(),
              signals.u.data(),    spectrum_.data(), out_.data(),
              work_.data()};
  }
  void run() const { long_conv(block_); }
  const float* out() const { return out_.data(); }

 private:
  std::shared_ptr<const FftPlan> plan_;
  AlignedBuffer<float> spectrum_, work_, out_;
  LongConvBlock block_;
};

struct FreePlan {
  void operator()(fftwf_plan plan) const { fftwf_destroy_plan(plan); }
};
using FftwPlan = std::unique_ptr<std::remove_pointer_t<fftwf_plan>, FreePlan>;

// z[k] = a[k]·f[k] + i·b[k]·g[k] over the whole circle, from the half spectra of real signals a, b
// and filters f, g. Numbers are pairs (re, im).
[[gnu::target_clones("avx2", "default")]] void combine(size_t points, const float* a,
                                                       const float* f, const float* b,
                                                       const float* g, float* z) {
  for (size_t k = 0; k <= points / 2; ++k) {
    const float p = a[2 * k] * f[2 * k] - a[2 * k + 1] * f[2 * k + 1];
    const float q = a[2 * k] * f[2 * k + 1] + a[2 * k + 1] * f[2 * k];
    const float r = b[2 * k] * g[2 * k] - b[2 * k + 1] * g[2 * k + 1];
    const float s = b[2 * k] * g[2 * k + 1] + b[2 * k + 1] * g[2 * k];
    const size_t mirror = (points - k) % points;
    z[2 * mirror] = p + s;
    z[2 * mirror + 1] = r - q;
    z[2 * k] = p - s;
    z[2 * k + 1] = q + r;
  }
}

class Fftw {
 public:
  explicit Fftw(const Signals& signals)
      : points_(signals.points),
        spectrum_floats_(round_up(points_ + 2, kC)),
        first_(points_),
        second_(points_),
        first_spectrum_(spectrum_floats_),
        second_spectrum_(spectrum_floats_),
        product_(2 * points_),
        result_(2 * points_) {
    const int n = static_cast<int>(points_);
    forward_.reset(fftwf_plan_dft_r2c_1d(n, first_.data(), complex(first_spectrum_), FFTW_MEASURE));
    inverse_.reset(
        fftwf_plan_dft_1d(n, complex(product_), complex(result_), FFTW_BACKWARD, FFTW_MEASURE));
    set_filters(signals);
    std::fill(first_.data(), first_.data() + points_, 0.0f);
    std::fill(second_.data(), second_.data() + points_, 0.0f);
    v_ = channel_rows(signals.v, signals.length);
    u_ = channel_rows(signals.u, signals.length);
    out_.resize(signals.length * kC);
  }

  void run_transforms() {
    for (size_t channel = 0; channel < kC; ++channel) {
      forward(first_, first_spectrum_.data());
      forward(second_, second_spectrum_.data());
      fftwf_execute(inverse_.get());
    }
  }

  void run_convolution() {
    const size_t length = points_ / 2;
    for (size_t channel = 0; channel < kC; ++channel) {
      std::copy_n(v_.data() + channel * length, length, first_.data());
      std::copy_n(u_.data() + channel * length, length, second_.data());
      forward(first_, first_spectrum_.data());
      forward(second_, second_spectrum_.data());
      const size_t filter = channel * spectrum_floats_;
      combine(points_, first_spectrum_.data(), filters1_.data() + filter, second_spectrum_.data(),
              filters2_.data() + filter, product_.data());
      fftwf_execute(inverse_.get());
      for (size_t t = 0; t < length; ++t) {
        out_[channel * length + t] = result_[2 * t] + result_[2 * t + 1];
      }
    }
  }

  // [length][16], as the kernel lays them.
  AlignedBuffer<float> out() const {
    const size_t length = points_ / 2;
    AlignedBuffer<float> rows(out_.size());
    for (size_t i = 0; i < rows.size(); ++i) rows[i] = out_[i % kC * length + i / kC];
    return rows;
  }

 private:
  static fftwf_complex* complex(AlignedBuffer<float>& buffer) {
    return reinterpret_cast<fftwf_complex*>(buffer.data());
  }

  void forward(AlignedBuffer<float>& signal, float* spectrum) {
    fftwf_execute_dft_r2c(forward_.get(), signal.data(),
                          reinterpret_cast<fftwf_complex*>(spectrum));
  }

  // [16][rows] from [rows][16].
  static AlignedBuffer<float> channel_rows(const AlignedBuffer<float>& values, size_t rows) {
    AlignedBuffer<float> out(values.size());
    for (size_t i = 0; i < out.size(); ++i) out[i] = values[i % rows * kC + i / rows];
    return out;
  }

  // Spectra of the kernels, divided by N as FFTW's inverse is not.
  void set_filters(const Signals& signals) {
    for (auto [kernel, filters] :
         {std::pair(&signals.kernel1, &filters1_), std::pair(&signals.kernel2, &filters2_)}) {
      const AlignedBuffer<float> channels = channel_rows(*kernel, points_);
      filters->resize(kC * spectrum_floats_);
      for (size_t channel = 0; channel < kC; ++channel) {
        for (size_t i = 0; i < points_; ++i) {
          first_[i] = channels[channel * points_ + i] / static_cast<float>(points_);
        }
        forward(first_, filters->data() + channel * spectrum_floats_);
      }
    }
  }

  size_t points_, spectrum_floats_;
  AlignedBuffer<float> first_, second_, first_spectrum_, second_spectrum_, product_, result_;
  AlignedBuffer<float> v_, u_, out_, filters1_, filters2_;
  FftwPlan forward_, inverse_;
};

// Against direct sums in double, at the smallest size; those at larger sizes are held to FFTW.
void check_against_direct_sums() {
  Signals signals(1024);
  const Kernel kernel(signals);
  kernel.run();
  std::vector<double> expected(signals.length * kC);
  for (size_t i = 0; i < expected.size(); ++i) {
    const size_t t = i / kC, channel = i % kC;
    for (size_t s = 0; s < signals.length; ++s) {
      const size_t tap = (t + signals.points - s) % signals.points * kC + channel;
      const size_t at = s * kC + channel;
      expected[i] += static_cast<double>(signals.kernel1[tap]) * static_cast<double>(signals.v[at]);
      expected[i] += static_cast<double>(signals.kernel2[tap]) * static_cast<double>(signals.u[at]);
    }
  }
  require_close("long_conv", kernel.out(), expected.data(), expected.size(), kBound);
}

void state_time_of_a_channel(benchmark::State& state) {
  state.counters["channel"] = {
      kC, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert};
}

void time_long_conv(benchmark::State& state) {
  const Signals signals(static_cast<size_t>(state.range(0)));
  const Kernel kernel(signals);
  Fftw fftw(signals);
  kernel.run();
  fftw.run_convolution();
  const AlignedBuffer<float> expected = fftw.out();
  require_close("long_conv", kernel.out(), expected.data(), expected.size(), kBound);
  for (auto _ : state) {
    kernel.run();
    benchmark::ClobberMemory();
  }
  state_time_of_a_channel(state);
}

void time_fftw(benchmark::State& state, void (Fftw::*run)()) {
  Fftw fftw(Signals(static_cast<size_t>(state.range(0))));
  for (auto _ : state) {
    (fftw.*run)();
    benchmark::ClobberMemory();
  }
  state_time_of_a_channel(state);
}

void sizes(benchmark::internal::Benchmark* benchmark) {
  benchmark->RangeMultiplier(4)->Range(1 << 10, 1 << 16)->Unit(benchmark::kMicrosecond);
}
BENCHMARK(time_long_conv)->Name("long_conv/points")->Apply(sizes);
BENCHMARK_CAPTURE(time_fftw, convolution, &Fftw::run_convolution)
    ->Name("fftw/convolution/points")
    ->Apply(sizes);
BENCHMARK_CAPTURE(time_fftw, transforms, &Fftw::run_transforms)
    ->Name("fftw/transforms/points")
    ->Apply(sizes);

}  // namespace
}  // namespace m2

int main(int argc, char** argv) {
  m2::check_against_direct_sums();
  return m2::run_benchmarks(argc, argv);
}
