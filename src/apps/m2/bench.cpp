#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <iostream>

#include "apps/m2/command.h"
#include "cli/interrupt.h"
#include "cli/output_file.h"
#include "cli/progress.h"
#include "core/error.h"
#include "core/random.h"
#include "core/text.h"
#include "inference/estimate.h"
#include "kernels/isa.h"
#include "ops/gemm/matmul.h"

namespace m2 {
namespace {

struct BenchFlags {
  ModelFlags model;
  std::vector<int64_t> lengths = {512, 2048};
  int repeats = 5;
};

TokenSequence random_sequence(const ModelConfig& config, int64_t length) {
  Random random(1, "bench");
  TokenSequence sequence;
  for (int64_t i = 0; i < length; ++i) {
    sequence.ids.push_back(
        static_cast<int32_t>(random.bits() % static_cast<uint64_t>(config.vocab_size)));
  }
  sequence.types.assign(sequence.ids.size(), 0);
  sequence.mask.assign(sequence.ids.size(), 1);
  return sequence;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

double seconds_of_one(Session& session, std::span<const TokenSequence> sequences) {
  const auto start = std::chrono::steady_clock::now();
  session.compute(
      sequences, {Pooling::kMean, false}, [](const SequenceVectors&) {},
      [](const Session::Done&) { return !interrupted(); });
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void bench(const BenchFlags& flags) {
  const auto model = load_model(flags.model.files());
  Session session(model, flags.model.session());
  OutputFile output("", OutputFile::OnFailure::kRemove);
  const auto print = [&](const char* format, auto... values) {
    std::array<char, 256> line{};
    std::snprintf(line.data(), line.size(), format, values...);
    output.stream() << line.data();
    output.flush();
  };
  print("fp32, %d threads, %s, filter cache %s; one sequence, mean pooling, median of %d\n",
        session.threads(), isa_name(current_isa()), flags.model.filter_cache_bytes.c_str(),
        flags.repeats);
  print("%8s %10s %10s %12s %10s %12s\n", "length", "seconds", "tokens/s", "GEMM GFLOP/s",
        "roofline", "peak memory");
  for (const int64_t length : flags.lengths) {
    const std::vector<TokenSequence> sequences = {random_sequence(model->config, length)};
    seconds_of_one(session, sequences);  // makes spectra, touches memory
    std::vector<double> seconds, rates;
    for (int i = 0; i < flags.repeats; ++i) {
      rates.push_back(measure_gemm_rate(session.threads(), 5));
      seconds.push_back(seconds_of_one(session, sequences));
    }
    const double best_rate = *std::max_element(rates.begin(), rates.end());
    const double time = median(seconds);
    const double flops = dense_flops_per_token(model->config) * static_cast<double>(length);
    print("%8lld %10.3f %10.0f %12.0f %10.3f %12s\n", static_cast<long long>(length), time,
          static_cast<double>(length) / time, best_rate, flops / time / 1e9 / best_rate,
          bytes_text(static_cast<uint64_t>(peak_memory())).c_str());
  }
}

}  // namespace

void add_bench(CLI::App& app) {
  CLI::App* command = app.add_subcommand("bench", "Time the forward pass on random ids");
  const auto flags = std::make_shared<BenchFlags>();
  flags->model.add_model(*command);
  flags->model.add_compute(*command);
  command->add_option("--lengths", flags->lengths, "Tokens of the sequences to time")
      ->delimiter(',')
      ->capture_default_str();
  command->add_option("--repeats", flags->repeats, "Timings of each, after one to warm up")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command->footer(
      "roofline is the model's dense work divided by the time and by oneDNN's best rate on a\n"
      "2048×2304×768 product, measured between the timings.\n\n"
      "Example:\n"
      "  m2 bench --model-id my-model --lengths 512,2048");
  command->callback([flags] { bench(*flags); });
}

}  // namespace m2
