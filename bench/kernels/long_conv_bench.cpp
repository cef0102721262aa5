// Both long convolutions of a layer, for the 16 channels of a block, against FFTW (single
// precision, FFTW_MEASURE) on the same transform size N and texts of N/2 rows.
//
//   long_conv         the kernel, whole: short filter, gates, transforms, product with the spectra
//   …/fp16_spectrum   the same, with the spectra as fp16
//   fftw/convolution  the way that suits FFTW best: two real transforms, product with the spectra,
//                     two real inverses a channel; no short filter, no gates
//   fftw/transforms   the transforms that the kernel does, alone and always in the same buffers: a
//                     pair of real signals forward, one complex inverse a channel
//
// FFTW's signals lie channel by channel, which suits it; their padding is zero once and for all.
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
// fp16 spectra: each part is rounded by at most 2^-11.
constexpr double kHalfBound = 4.9e-4;

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

enum class SpectrumType { kFp32, kFp16 };

class Kernel {
 public:
  Kernel(const Signals& signals, SpectrumType type)
      : plan_(fft_plan(signals.points)),
        spectrum_(plan_->spectrum_floats()),
        work_(plan_->workspace_floats()),
        out_(signals.length * kC) {
    long_conv_spectrum({plan_.get(), signals.kernel1.data(), signals.kernel2.data(),
                        spectrum_.data(), work_.data()});
    block_.plan = plan_.get();
    block_.length = signals.length;
    block_.x1 = block_.x2 = signals.ones.data();
    block_.v = signals.v.data();
    block_.short_filter = signals.short_filter.data();
    block_.residual = signals.u.data();
    block_.out = out_.data();
    block_.work = work_.data();
    if (type == SpectrumType::kFp32) {
      block_.spectrum = spectrum_.data();
    } else {
      round_spectrum();
    }
  }
  void run() const { long_conv(block_); }
  const float* out() const { return out_.data(); }

 private:
  void round_spectrum() {
    half_spectrum_.resize(spectrum_.size());
    half_scales_.resize(2 * kC);
    round_spectrum_to_half(
        {spectrum_.size(), spectrum_.data(), half_spectrum_.data(), half_scales_.data()});
    block_.half_spectrum = half_spectrum_.data();
    block_.half_scales = half_scales_.data();
  }

  std::shared_ptr<const FftPlan> plan_;
  AlignedBuffer<float> spectrum_, half_scales_, work_, out_;
  AlignedBuffer<uint16_t> half_spectrum_;
  LongConvBlock block_;
};

struct FreePlan {
  void operator()(fftwf_plan plan) const { fftwf_destroy_plan(plan); }
};
using FftwPlan = std::unique_ptr<std::remove_pointer_t<fftwf_plan>, FreePlan>;

// spectrum *= filter, both pairs (re, im). Not std::complex: its product asks for infinities.
[[gnu::target_clones("avx2", "default")]] void multiply(size_t bins, float* __restrict spectrum,
                                                        const float* __restrict filter) {
  for (size_t k = 0; k < 2 * bins; k += 2) {
    const float re = spectrum[k] * filter[k] - spectrum[k + 1] * filter[k + 1];
    const float im = spectrum[k] * filter[k + 1] + spectrum[k + 1] * filter[k];
    spectrum[k] = re;
    spectrum[k + 1] = im;
  }
}

class Fftw {
 public:
  explicit Fftw(const Signals& signals)
      : points_(signals.points),
        length_(signals.length),
        spectrum_floats_(round_up(points_ + 2, kC)),
        real_(points_),
        spectrum_(spectrum_floats_),
        complex_in_(random_buffer(2 * points_, 5)),
        complex_out_(2 * points_) {
    const int n = static_cast<int>(points_);
    // Planning writes to the buffers it is given.
    AlignedBuffer<float> other(2 * points_);
    forward_.reset(fftwf_plan_dft_r2c_1d(n, real_.data(), pairs(spectrum_.data()), FFTW_MEASURE));
    real_inverse_.reset(
        fftwf_plan_dft_c2r_1d(n, pairs(spectrum_.data()), other.data(), FFTW_MEASURE));
    complex_inverse_.reset(fftwf_plan_dft_1d(n, pairs(other.data()), pairs(complex_out_.data()),
                                             FFTW_BACKWARD, FFTW_MEASURE));
    for (const auto& [rows, kernel] :
         {std::pair(&signals.v, &signals.kernel1), std::pair(&signals.u, &signals.kernel2)}) {
      signals_.push_back(channel_rows(*rows, length_));
      filters_.push_back(spectra(*kernel));
    }
    std::fill(real_.data() + length_, real_.data() + points_, 0.0f);
    inverted_.resize(points_);
    out_.resize(length_ * kC);
  }

  void run_transforms() {
    for (size_t channel = 0; channel < kC; ++channel) {
      for (size_t signal = 0; signal < 2; ++signal) forward(spectrum_.data());
      fftwf_execute_dft(complex_inverse_.get(), pairs(complex_in_.data()),
                        pairs(complex_out_.data()));
    }
  }

  void run_convolution() {
    for (size_t channel = 0; channel < kC; ++channel) {
      float* out = out_.data() + channel * length_;
      for (size_t signal = 0; signal < 2; ++signal) {
        std::copy_n(signals_[signal].data() + channel * length_, length_, real_.data());
        forward(spectrum_.data());
        multiply(points_ / 2 + 1, spectrum_.data(),
                 filters_[signal].data() + channel * spectrum_floats_);
        fftwf_execute_dft_c2r(real_inverse_.get(), pairs(spectrum_.data()), inverted_.data());
        for (size_t t = 0; t < length_; ++t) {
          out[t] = signal == 0 ? inverted_[t] : out[t] + inverted_[t];
        }
      }
    }
  }

  // [length][16], as the kernel lays them.
  AlignedBuffer<float> out() const {
    AlignedBuffer<float> rows(out_.size());
    for (size_t i = 0; i < rows.size(); ++i) rows[i] = out_[i % kC * length_ + i / kC];
    return rows;
  }

 private:
  static fftwf_complex* pairs(float* values) { return reinterpret_cast<fftwf_complex*>(values); }

  void forward(float* spectrum) {
    fftwf_execute_dft_r2c(forward_.get(), real_.data(), pairs(spectrum));
  }

  // [16][rows] from [rows][16].
  static AlignedBuffer<float> channel_rows(const AlignedBuffer<float>& values, size_t rows) {
    AlignedBuffer<float> out(values.size());
    for (size_t i = 0; i < out.size(); ++i) out[i] = values[i % rows * kC + i / rows];
    return out;
  }

  // Of each channel's kernel, divided by N as FFTW's inverse is not.
  AlignedBuffer<float> spectra(const AlignedBuffer<float>& kernel) {
    AlignedBuffer<float> out(kC * spectrum_floats_);
    for (size_t channel = 0; channel < kC; ++channel) {
      for (size_t i = 0; i < points_; ++i) {
        real_[i] = kernel[i * kC + channel] / static_cast<float>(points_);
      }
      forward(out.data() + channel * spectrum_floats_);
    }
    return out;
  }

  size_t points_, length_, spectrum_floats_;
  AlignedBuffer<float> real_, spectrum_, complex_in_, complex_out_, inverted_, out_;
  std::vector<AlignedBuffer<float>> signals_, filters_;  // of v and of u
  FftwPlan forward_, real_inverse_, complex_inverse_;
};

// Against direct sums in double, at the smallest size; those at larger sizes are held to FFTW.
void check_against_direct_sums() {
  Signals signals(1024);
  const Kernel kernel(signals, SpectrumType::kFp32);
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

void time_long_conv(benchmark::State& state, SpectrumType type) {
  const Signals signals(static_cast<size_t>(state.range(0)));
  const Kernel kernel(signals, type);
  Fftw fftw(signals);
  kernel.run();
  fftw.run_convolution();
  const AlignedBuffer<float> expected = fftw.out();
  require_close("long_conv", kernel.out(), expected.data(), expected.size(),
                type == SpectrumType::kFp32 ? kBound : kHalfBound);
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
BENCHMARK_CAPTURE(time_long_conv, fp32, SpectrumType::kFp32)
    ->Name("long_conv/points")
    ->Apply(sizes);
BENCHMARK_CAPTURE(time_long_conv, fp16, SpectrumType::kFp16)
    ->Name("long_conv/fp16_spectrum/points")
    ->Apply(sizes);
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
