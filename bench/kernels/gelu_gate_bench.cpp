// GELU, gated and plain, on a tile of 64 rows.
#include "kernels/gelu_gate.h"

#include <vector>

#include "kernel_bench.h"

namespace m2 {
namespace {

constexpr size_t kRows = 64;

struct Case {
  size_t width;
  AlignedBuffer<float> h, gate, out;

  explicit Case(size_t channels)
      : width(channels),
        h(random_buffer(kRows * channels, 1)),
        gate(random_buffer(kRows * channels, 2)),
        out(kRows * channels) {}

  GeluGateTile tile(bool gated) {
    return {kRows, width, width, width, h.data(), gated ? gate.data() : nullptr, out.data()};
  }

  void check(bool gated) {
    gelu_gate(tile(gated));
    std::vector<double> expected(out.size());
    reference::gelu_gate(tile(gated), expected.data());
    require_close("gelu_gate", out.data(), expected.data(), expected.size(), 1e-6);
  }
};

void time_gelu_gate(benchmark::State& state, bool gated) {
  Case c(static_cast<size_t>(state.range(0)));
  c.check(gated);
  const GeluGateTile tile = c.tile(gated);
  for (auto _ : state) {
    gelu_gate(tile);
    benchmark::ClobberMemory();
  }
  state.counters["elements"] = a_second(static_cast<double>(kRows * c.width));
}
BENCHMARK_CAPTURE(time_gelu_gate, gated, true)->Name("gelu_gate/gated/width")->Arg(768)->Arg(3072);
BENCHMARK_CAPTURE(time_gelu_gate, plain, false)->Name("gelu_gate/plain/width")->Arg(768)->Arg(3072);

}  // namespace
}  // namespace m2

int main(int argc, char** argv) {
  return m2::run_benchmarks(argc, argv);
}
