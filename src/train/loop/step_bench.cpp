#include "train/loop/step_bench.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>

#include "cli/interrupt.h"
#include "config/flops.h"
#include "config/presets.h"
#include "core/random.h"
#include "train/loop/gemm_rate.h"
#include "train/loop/resident_memory.h"
#include "train/models/model.h"
#include "train/optimizers/adamw.h"
#include "train/optimizers/gradient_norm.h"

namespace m2::train {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kGemmRepeats = 10;

double seconds_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

Batch random_batch(const StepBenchCase& size, int64_t words, double label_share) {
  Random random(1, "bench");
  Batch batch;
  batch.ids = at::empty({size.texts, size.length}, at::kLong);
  batch.labels = at::full({size.texts, size.length}, -100, at::kLong);
  auto* ids = batch.ids.mutable_data_ptr<int64_t>();
  auto* labels = batch.labels.mutable_data_ptr<int64_t>();
  for (int64_t i = 0; i < size.texts * size.length; ++i) {
    ids[i] = 1 + static_cast<int64_t>(random.uniform() * static_cast<double>(words - 1));
    if (random.uniform() < label_share) labels[i] = ids[i];
  }
  return batch;
}

OptimizerConfig optimizer_config() {
  OptimizerConfig config;
  config.lr = 1e-4;
  return config;
}

struct Subject {
  Subject(const StepBenchOptions& options, int64_t length)
      : config(preset(options.preset, length)),
        model(config, model_options()),
        optimizer(model.parameters(), config, optimizer_config()) {}

  static ModelOptions model_options() {
    ModelOptions options;
    options.scope.pooler = false;
    options.scope.mlm_head = true;
    return options;
  }

  ModelConfig config;
  Model model;
  AdamW optimizer;
};

// One step; times of its parts are appended.
struct PartTimes {
  std::vector<double> forward, backward, update;
};

int64_t time_step(Subject& subject, const Batch& batch, const Pass& pass, PartTimes& times) {
  const auto start = Clock::now();
  const MaskedLoss loss = subject.model.masked_language_model_loss(batch, pass);
  const auto forward_end = Clock::now();
  loss.sum.div(loss.labelled).backward();
  const auto backward_end = Clock::now();
  const double norm = gradient_norm(subject.model.parameters().trained());
  subject.optimizer.step(1, clipping_factor(norm, 1));
  subject.model.parameters().clear_gradients();
  const auto end = Clock::now();
  times.forward.push_back(seconds_between(start, forward_end));
  times.backward.push_back(seconds_between(forward_end, backward_end));
  times.update.push_back(seconds_between(backward_end, end));
  return loss.labelled;
}

StepTimes bench_case(const StepBenchOptions& options, const StepBenchCase& size,
                     double& gemm_rate) {
  reset_peak_memory();
  Subject subject(options, size.length);
  const Batch batch = random_batch(size, subject.config.vocab_size, options.label_share);
  Pass pass;
  pass.training = true;
  pass.bf16 = options.bf16;
  pass.recompute = options.recompute;
  PartTimes warm_up, times;
  StepTimes row;
  row.size = size;
  row.labelled = time_step(subject, batch, pass, warm_up);
  for (int i = 0; i < options.repeats; ++i) {
    stop_if_interrupted();
    gemm_rate = std::max(gemm_rate, measure_gemm_rate(kGemmRepeats));
    ++pass.step;
    time_step(subject, batch, pass, times);
  }
  gemm_rate = std::max(gemm_rate, measure_gemm_rate(kGemmRepeats));
  row.forward = median(times.forward);
  row.backward = median(times.backward);
  row.update = median(times.update);
  const auto tokens = static_cast<double>(size.texts * size.length);
  row.flops = 3 * tokens *
                  (dense_flops_per_token(subject.config) +
                   attention_flops_per_token(subject.config, size.length)) +
              3 * static_cast<double>(row.labelled) * mlm_head_flops_per_label(subject.config);
  row.peak_bytes = peak_resident_memory();
  return row;
}

}  // namespace

StepBenchResult bench_steps(const StepBenchOptions& options,
                            const std::vector<StepBenchCase>& cases) {
  StepBenchResult result;
  for (const StepBenchCase& size : cases) {
    result.rows.push_back(bench_case(options, size, result.gemm_rate));
  }
  return result;
}

}  // namespace m2::train
