// The element-wise steps of making filters: the sines of the filter network, and the decay.
#include "kernels/hyena_filter.h"

#include <vector>

#include "kernel_bench.h"
#include "kernels/layout.h"

namespace m2 {
namespace {

constexpr size_t kRows = 64, kOrder = 128;

// On a fresh copy of the same numbers each time: sines of sines would end near zero.
void time_filter_sine(benchmark::State& state) {
  const AlignedBuffer<float> angles = random_buffer(kRows * kOrder, 1);
  const AlignedBuffer<float> frequency = random_buffer(kOrder, 2, 10.0);
  AlignedBuffer<float> x(angles.size());
  const SineTile tile = {kRows, kOrder, kOrder, frequency.data(), x.data()};
  const auto refill = [&] { std::copy(angles.data(), angles.data() + angles.size(), x.data()); };
  refill();
  std::vector<double> expected(x.size());
  reference::filter_sine(tile, expected.data());
  filter_sine(tile);
  // An angle reaches a hundred and is rounded once before the sine.
  require_close("filter_sine", x.data(), expected.data(), expected.size(), 3e-6);
  for (auto _ : state) {
    refill();
    filter_sine(tile);
    benchmark::ClobberMemory();
  }
  state.counters["elements"] = a_second(static_cast<double>(x.size()));
}
BENCHMARK(time_filter_sine)->Name("filter_sine");

void time_filter_decay(benchmark::State& state) {
  constexpr size_t kWidth = 768;
  const AlignedBuffer<float> taps = random_buffer(kRows * kWidth, 1);
  const AlignedBuffer<float> delta = random_buffer(kChannelBlock, 2, 5.0);
  AlignedBuffer<float> time(kRows), kernel(kRows * kChannelBlock);
  for (size_t i = 0; i < kRows; ++i) time[i] = static_cast<float>(i) / kRows;
  const DecayBlock block = {kRows,        kWidth,        taps.data(),  time.data(),
                            delta.data(), kernel.data(), kChannelBlock};
  std::vector<double> expected(kernel.size());
  reference::filter_decay(block, expected.data());
  filter_decay(block);
  require_close("filter_decay", kernel.data(), expected.data(), expected.size(), 1e-6);
  for (auto _ : state) {
    filter_decay(block);
    benchmark::ClobberMemory();
  }
  state.counters["elements"] = a_second(static_cast<double>(kernel.size()));
}
BENCHMARK(time_filter_decay)->Name("filter_decay");

}  // namespace
}  // namespace m2

int main(int argc, char** argv) {
  return m2::run_benchmarks(argc, argv);
}
