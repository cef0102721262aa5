#include "train/optimizers/scheduler.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace m2::train {

double learning_rate_factor(const Schedule& schedule, int64_t step) {
  const double s = static_cast<double>(step);
  if (s < schedule.warmup_steps) return s / schedule.warmup_steps;
  if (schedule.kind == SchedulerKind::kConstant) return 1;
  const double steps = schedule.total_steps - schedule.warmup_steps;
  const double x = steps > 0 ? std::min(1.0, (s - schedule.warmup_steps) / steps) : 1.0;
  if (schedule.kind == SchedulerKind::kLinearDecay) return 1 + (schedule.alpha_f - 1) * x;
  return schedule.alpha_f + (1 - schedule.alpha_f) * (1 + std::cos(std::numbers::pi * x)) / 2;
}

}  // namespace m2::train
