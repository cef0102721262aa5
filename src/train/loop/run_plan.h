// A training's durations in optimiser steps.
#pragma once

#include <cstdint>

#include "train/config/train_config.h"
#include "train/optimizers/scheduler.h"

namespace m2::train {

struct RunPlan {
  int64_t total_steps = 0;
  // Steps between two of a kind; 0: none.
  int64_t evaluation_steps = 0;
  int64_t save_steps = 0;
  int64_t console_steps = 1;
  Schedule schedule;
};

// The last two are RunSize's. Errors as duration_batches'.
RunPlan plan_run(const TrainConfig& config, int64_t epoch_samples, double sample_tokens);

// Whether something that is done every `interval` steps is due after `step`.
inline bool is_due(int64_t step, int64_t interval) {
  return interval > 0 && step % interval == 0;
}

}  // namespace m2::train
