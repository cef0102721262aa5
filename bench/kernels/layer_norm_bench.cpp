// LayerNorm with a residual on a tile of 64 rows, as between a layer's products.
#include "kernels/layer_norm.h"

#include <vector>

#include "kernel_bench.h"
#include "kernels/layout.h"

namespace m2 {
namespace {

constexpr size_t kRows = 64;

struct Case {
  size_t channels, stride;
  AlignedBuffer<float> x, residual, weight, bias, out;

  explicit Case(size_t width)
      : channels(width),
        stride(round_up(width, kChannelBlock)),
        x(random_buffer(kRows * stride, 1)),
        residual(random_buffer(kRows * stride, 2)),
        weight(random_buffer(stride, 3)),
        bias(random_buffer(stride, 4)),
        out(kRows * stride) {}

  LayerNormTile tile() {
    return {kRows,         channels,    stride, x.data(),  residual.data(),
            weight.data(), bias.data(), 1e-12f, out.data()};
  }

  void check() {
    layer_norm(tile());
    std::vector<double> expected(out.size());
    reference::layer_norm(tile(), expected.data());
    require_close("layer_norm", out.data(), expected.data(), expected.size(), 1e-6);
  }
};

void time_layer_norm(benchmark::State& state) {
  Case c(static_cast<size_t>(state.range(0)));
  c.check();
  const LayerNormTile tile = c.tile();
  for (auto _ : state) {
    layer_norm(tile);
    benchmark::ClobberMemory();
  }
  state.counters["elements"] = a_second(static_cast<double>(kRows * c.channels));
}
BENCHMARK(time_layer_norm)->Name("layer_norm/channels")->Arg(768)->Arg(960)->Arg(1792);

}  // namespace
}  // namespace m2

int main(int argc, char** argv) {
  return m2::run_benchmarks(argc, argv);
}
