// One tile's product at the shapes of M2-BERT-80M, fp32, beside the yardstick of the roofline
// fraction on one thread.
#include <vector>

#include "kernel_bench.h"
#include "ops/gemm/matmul.h"

namespace m2 {
namespace {

struct Case {
  size_t k, n, rows;
  AlignedBuffer<float> weight, in, out;
  PackedMatrix matrix;

  Case(size_t inputs, size_t outputs, size_t tile_rows)
      : k(inputs),
        n(outputs),
        rows(tile_rows),
        weight(random_buffer(inputs * outputs, 1)),
        in(random_buffer(tile_rows * inputs, 2)),
        out(tile_rows * outputs),
        matrix({DType::kF32, k, n, k, n, false}, weight.data(), k, nullptr) {}

  void check() {
    matrix.multiply(rows, in.data(), out.data());
    std::vector<double> expected(rows * n);
    for (size_t i = 0; i < expected.size(); ++i) {
      const float* row = in.data() + i / n * k;
      const float* column = weight.data() + i % n * k;
      for (size_t j = 0; j < k; ++j) {
        expected[i] += static_cast<double>(row[j]) * static_cast<double>(column[j]);
      }
    }
    require_close("multiply", out.data(), expected.data(), expected.size(), 2e-6);
  }
};

// Arguments: inputs, outputs, rows of the tile.
void time_multiply(benchmark::State& state) {
  const auto argument = [&](size_t i) { return static_cast<size_t>(state.range(i)); };
  Case c(argument(0), argument(1), argument(2));
  c.check();
  for (auto _ : state) {
    c.matrix.multiply(c.rows, c.in.data(), c.out.data());
    benchmark::ClobberMemory();
  }
  state.counters["FLOP"] = a_second(2.0 * static_cast<double>(c.rows * c.k * c.n));
}
BENCHMARK(time_multiply)
    ->Name("multiply/inputs/outputs/rows")
    ->ArgsProduct({{768}, {768, 2304}, {16, 32, 48, 64}})
    ->ArgsProduct({{192}, {1536}, {16, 64}})  // a block of gated_layers
    ->ArgsProduct({{768}, {192}, {16, 64}});  // a block of wo

void state_yardstick(benchmark::State& state) {
  double rate = 0;
  for (auto _ : state) rate = measure_gemm_rate(DType::kF32, 1, 5);
  state.counters["FLOP/s"] = rate * 1e9;
}
BENCHMARK(state_yardstick)->Name("yardstick")->Iterations(1);

}  // namespace
}  // namespace m2

int main(int argc, char** argv) {
  return m2::run_benchmarks(argc, argv);
}
