// What the kernels' benchmarks share. Each checks its kernel before it times it, on the instruction
// set in use (M2_ISA), and all run on one thread.
#pragma once

#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "core/aligned_buffer.h"
#include "core/random.h"
#include "kernels/isa.h"

namespace m2 {

// `count` numbers from N(0, scale²).
inline AlignedBuffer<float> random_buffer(size_t count, uint64_t seed, double scale = 1.0) {
  Random random(seed, "kernel bench");
  AlignedBuffer<float> values(count);
  for (size_t i = 0; i < count; ++i) values[i] = static_cast<float>(scale * random.normal());
  return values;
}

// Ends the program where ‖found − expected‖ / ‖expected‖ is not below `bound`: a wrong kernel has
// no speed. `expected` is float or double.
template <class Expected>
void require_close(const std::string& what, const float* found, const Expected* expected,
                   size_t count, double bound) {
  double difference = 0, norm = 0;
  for (size_t i = 0; i < count; ++i) {
    const double wanted = static_cast<double>(expected[i]);
    const double delta = static_cast<double>(found[i]) - wanted;
    difference += delta * delta;
    norm += wanted * wanted;
  }
  const double error = std::sqrt(difference / norm);
  if (error < bound) return;
  std::fprintf(stderr, "m2: error: %s is wrong, not timed: its relative error is %g, allowed %g\n",
               what.c_str(), error, bound);
  std::exit(1);
}

// A counter of what each iteration does, shown divided by its time.
inline benchmark::Counter a_second(double amount) {
  return {amount, benchmark::Counter::kIsIterationInvariantRate};
}

// Runs what is registered, with google-benchmark's own flags.
inline int run_benchmarks(int argc, char** argv) {
  benchmark::AddCustomContext("isa", isa_name(current_isa()));
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

}  // namespace m2
