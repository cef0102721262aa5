// What a run tells while it goes: metrics.jsonl, TensorBoard, lines on stderr.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "train/checkpoints/run_folder.h"
#include "train/config/train_config.h"
#include "train/loop/evaluation.h"
#include "train/metrics/metrics_file.h"
#include "train/metrics/pace.h"
#include "train/metrics/tensorboard_file.h"
#include "train/models/model.h"
#include "train/optimizers/adamw.h"

namespace m2::train {

struct StepFacts {
  StepReport report;
  double learning_rate = 0;
  double gradient_norm = 0;   // before clipping
  int64_t total_samples = 0;  // met so far, with those of this step
  int64_t total_tokens = 0;
};

class RunLog {
 public:
  // Goes on behind `kept_steps`. `console_steps`: steps between two lines on stderr, where the
  // configuration asks for them.
  RunLog(const RunFolder& folder, const MonitorConfig& monitors, int64_t kept_steps,
         int64_t total_steps, int64_t console_steps);

  void add_step(const StepFacts& facts, const Model& model, const AdamW& optimizer);
  void add_evaluation(int64_t step, const EvaluationResult& result);
  // Whatever was written is with the system: before a checkpoint, and every few seconds by itself,
  // so that a run's curves can be seen while it trains.
  void flush();
  // A line on stderr, the progress line aside.
  void say(const std::string& line);

 private:
  void write(int64_t step, const std::vector<Metric>& metrics);

  MonitorConfig monitors_;
  int64_t console_steps_;
  MetricsFile metrics_;
  std::optional<TensorBoardFile> tensorboard_;
  Pace pace_;
  ProgressLine progress_;
  double gemm_rate_ = 0;  // measured once, for speed_monitor
  std::chrono::steady_clock::time_point flushed_;
};

}  // namespace m2::train
