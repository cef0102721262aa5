#include <array>
#include <cstdio>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "apps/m2_train/command.h"
#include "apps/m2_train/process.h"
#include "cli/interrupt.h"
#include "config/presets.h"
#include "core/error.h"
#include "core/text.h"
#include "train/loop/step_bench.h"

namespace m2 {
namespace {

using Json = nlohmann::ordered_json;

struct BenchFlags {
  train::StepBenchOptions options;
  std::vector<int64_t> lengths{128, 2048};
  std::vector<int64_t> texts{32, 2};
  std::string precision = "fp32";
  int threads = 0;
  bool json = false;
};

std::vector<train::StepBenchCase> cases_of(const BenchFlags& flags) {
  if (flags.texts.size() != flags.lengths.size()) {
    throw usage_error("--batch wants a number of texts for each of --lengths");
  }
  std::vector<train::StepBenchCase> cases;
  for (size_t i = 0; i < flags.lengths.size(); ++i) {
    cases.push_back({flags.lengths[i], flags.texts[i]});
  }
  return cases;
}

void print_table(const BenchFlags& flags, int threads, const train::StepBenchResult& result) {
  std::printf("%s, %s, %d threads, libtorch's GEMM %.1f GFLOP/s\n", flags.options.preset.c_str(),
              flags.precision.c_str(), threads, result.gemm_rate / 1e9);
  std::printf(
      "  length  batch   forward  backward    update      step  tokens/s    memory  roof\n");
  for (const train::StepTimes& row : result.rows) {
    const double tokens = static_cast<double>(row.size.length * row.size.texts);
    std::printf("%8lld %6lld %9.3f %9.3f %9.3f %9.3f %9.0f %9s %5.2f\n",
                static_cast<long long>(row.size.length), static_cast<long long>(row.size.texts),
                row.forward, row.backward, row.update, row.seconds(), tokens / row.seconds(),
                bytes_text(static_cast<uint64_t>(row.peak_bytes)).c_str(),
                result.roofline_share(row));
  }
}

void print_json(const BenchFlags& flags, int threads, const train::StepBenchResult& result) {
  Json rows = Json::array();
  for (const train::StepTimes& row : result.rows) {
    rows.push_back({{"length", row.size.length},
                    {"batch", row.size.texts},
                    {"labelled", row.labelled},
                    {"forward_seconds", row.forward},
                    {"backward_seconds", row.backward},
                    {"update_seconds", row.update},
                    {"flops", row.flops},
                    {"peak_memory_bytes", row.peak_bytes},
                    {"roofline_share", result.roofline_share(row)}});
  }
  const Json report{
      {"preset", flags.options.preset},   {"precision", flags.precision},  {"threads", threads},
      {"repeats", flags.options.repeats}, {"gemm_rate", result.gemm_rate}, {"rows", rows}};
  std::cout << report.dump(2) << '\n';
}

void bench(BenchFlags& flags) {
  watch_interrupt();
  const int threads = set_threads(flags.threads);
  flags.options.bf16 = flags.precision == "amp_bf16";
  const train::StepBenchResult result = train::bench_steps(flags.options, cases_of(flags));
  if (flags.json) {
    print_json(flags, threads, result);
  } else {
    print_table(flags, threads, result);
  }
}

}  // namespace

void add_threads(CLI::App& command, int& threads) {
  command.add_option("--threads", threads, "Threads; 0: one a physical core")
      ->envname("M2_THREADS")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
}

void add_bench(CLI::App& app) {
  CLI::App* command = app.add_subcommand("bench", "Time the parts of a training step");
  const auto flags = std::make_shared<BenchFlags>();
  std::vector<std::string> names;
  for (const Preset& known : kPresets) names.emplace_back(known.name);
  command->add_option("--preset", flags->options.preset, join(names, ", "))->capture_default_str();
  command->add_option("--lengths", flags->lengths, "Tokens of a text, a list with commas")
      ->delimiter(',')
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  command->add_option("--batch", flags->texts, "Texts of a micro-batch, for each length")
      ->delimiter(',')
      ->check(CLI::Range(1, 1 << 16))
      ->capture_default_str();
  command->add_option("--precision", flags->precision, "fp32 or amp_bf16")
      ->check(CLI::IsMember({"fp32", "amp_bf16"}))
      ->capture_default_str();
  command->add_flag("--activation-checkpointing", flags->options.recompute,
                    "Compute a layer's activations again in the backward pass");
  command->add_option("--repeats", flags->options.repeats, "Steps timed; medians are shown")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command->add_flag("--json", flags->json, "The numbers as JSON");
  add_threads(*command, flags->threads);
  command->footer(
      "Seconds of forward pass, backward pass and update. `roof` is three times the dense work of\n"
      "the step, and three times the head's for each labelled token, divided by the step's time\n"
      "and by the best fp32 rate that libtorch's own GEMM reached between the steps.\n\n"
      "Example:\n"
      "  m2 bench train --lengths 128,2048 --batch 32,2");
  command->callback([flags] { bench(*flags); });
}

}  // namespace m2
