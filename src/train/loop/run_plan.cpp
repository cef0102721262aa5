#include "train/loop/run_plan.h"

#include <algorithm>

namespace m2::train {

RunPlan plan_run(const TrainConfig& config, int64_t epoch_samples, double sample_tokens) {
  RunSize size;
  size.batch_samples = config.global_train_batch_size;
  size.epoch_samples = epoch_samples;
  size.sample_tokens = sample_tokens;
  RunPlan plan;
  plan.total_steps = duration_batches(config.max_duration, size);
  size.total_batches = plan.total_steps;
  plan.evaluation_steps = config.evaluation ? duration_batches(config.eval_interval, size) : 0;
  plan.save_steps = duration_batches(config.save.interval, size);
  plan.console_steps =
      std::max<int64_t>(1, duration_batches(config.monitors.console_log_interval, size));
  plan.schedule.kind = config.scheduler.kind;
  plan.schedule.warmup_steps =
      static_cast<double>(duration_batches(config.scheduler.t_warmup, size));
  plan.schedule.total_steps = static_cast<double>(duration_batches(config.scheduler.t_max, size));
  plan.schedule.alpha_f = config.scheduler.alpha_f;
  return plan;
}

}  // namespace m2::train
