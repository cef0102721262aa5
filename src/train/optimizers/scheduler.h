// The learning rate over the steps of a training.
#pragma once

#include <cstdint>

#include "train/config/train_config.h"

namespace m2::train {

// A SchedulerConfig with its durations in steps.
struct Schedule {
  SchedulerKind kind = SchedulerKind::kLinearDecay;
  double warmup_steps = 0;
  double total_steps = 1;
  double alpha_f = 0;  // factor at the end
};

// The factor of the peak rate for step s, counted from 0, as SchedulerConfig states it: step 0 of a
// warm-up has 0. Steps beyond total_steps have the last factor.
double learning_rate_factor(const Schedule& schedule, int64_t step);

}  // namespace m2::train
