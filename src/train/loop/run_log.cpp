#include "train/loop/run_log.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <cstdio>

#include "core/text.h"
#include "train/loop/gemm_rate.h"
#include "train/loop/resident_memory.h"

namespace m2::train {
namespace {

constexpr int64_t kDefaultWindow = 20;
constexpr int kGemmRepeats = 10;
constexpr std::chrono::seconds kFlushInterval{5};
constexpr int64_t kOptimizerMonitorSteps = 10;  // its norms read all of memory

double norm_of(const std::vector<at::Tensor>& tensors) {
  const at::NoGradGuard no_gradients;
  double squares = 0;
  for (const at::Tensor& tensor : tensors) {
    const double norm = tensor.norm().item<double>();
    squares += norm * norm;
  }
  return std::sqrt(squares);
}

std::vector<Metric> optimizer_metrics(const Model& model, const AdamW& optimizer) {
  std::vector<at::Tensor> values, first, second;
  for (const ParameterTensor& parameter : model.parameters().trained()) {
    values.push_back(parameter.values);
  }
  for (const NamedState& state : optimizer.state()) {
    (state.name.starts_with("exp_avg_sq.") ? second : first).push_back(state.values);
  }
  return {{"optimizer/parameter_norm", norm_of(values)},
          {"optimizer/first_moment_norm", norm_of(first)},
          {"optimizer/second_moment_norm", norm_of(second)}};
}

}  // namespace

RunLog::RunLog(const RunFolder& folder, const MonitorConfig& monitors, int64_t kept_steps,
               int64_t total_steps, int64_t console_steps)
    : monitors_(monitors),
      console_steps_(console_steps),
      metrics_(folder.metrics().string(), kept_steps),
      pace_(total_steps, monitors.speed_window.value_or(kDefaultWindow)) {
  if (monitors.tensorboard) tensorboard_.emplace(folder.tensorboard().string(), kept_steps);
  if (monitors.speed_window) gemm_rate_ = measure_gemm_rate(kGemmRepeats);
}

void RunLog::add_step(const StepFacts& facts, const Model& model, const AdamW& optimizer) {
  const StepReport& report = facts.report;
  pace_.add(report);
  std::vector<Metric> metrics{{"loss", report.loss},
                              {"learning_rate", facts.learning_rate},
                              {"gradient_norm", facts.gradient_norm},
                              {"samples", static_cast<double>(facts.total_samples)},
                              {"tokens", static_cast<double>(facts.total_tokens)}};
  if (monitors_.speed_window) {
    metrics.push_back({"speed/tokens_per_second", pace_.tokens_per_second()});
    metrics.push_back({"speed/wait_share", pace_.wait_share()});
    metrics.push_back({"speed/roofline_share", pace_.flops_per_second() / gemm_rate_});
  }
  if (monitors_.memory) {
    metrics.push_back({"memory/peak_bytes", static_cast<double>(peak_resident_memory())});
  }
  if (monitors_.optimizer && report.step % kOptimizerMonitorSteps == 0) {
    const std::vector<Metric> norms = optimizer_metrics(model, optimizer);
    metrics.insert(metrics.end(), norms.begin(), norms.end());
  }
  if (monitors_.runtime) metrics.push_back({"time/seconds_left", pace_.seconds_left()});
  write(report.step, metrics);
  if (monitors_.log_to_console && report.step % console_steps_ == 0) {
    say(pace_.line());
  } else if (monitors_.progress_bar) {
    progress_.show(pace_.line());
  }
}

void RunLog::add_evaluation(int64_t step, const EvaluationResult& result) {
  write(step, {{"evaluation/loss", result.loss},
               {"evaluation/perplexity", result.perplexity()},
               {"evaluation/masked_accuracy", result.accuracy}});
  if (monitors_.log_to_console) {
    say(concat("step ", step, "  evaluation loss ", result.loss, "  masked accuracy ",
               result.accuracy));
  }
}

void RunLog::write(int64_t step, const std::vector<Metric>& metrics) {
  metrics_.write(step, metrics);
  if (tensorboard_) tensorboard_->write(step, seconds_since_1970(), metrics);
  if (std::chrono::steady_clock::now() - flushed_ > kFlushInterval) flush();
}

void RunLog::flush() {
  metrics_.flush();
  if (tensorboard_) tensorboard_->flush();
  flushed_ = std::chrono::steady_clock::now();
}

void RunLog::say(const std::string& line) {
  progress_.clear();
  std::fprintf(stderr, "%s\n", line.c_str());
}

}  // namespace m2::train
