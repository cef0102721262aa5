#include "train/loop/run_plan.h"

#include <gtest/gtest.h>

namespace m2::train {
namespace {

constexpr int64_t kEpochSamples = 500 * 4096;

TrainConfig config() {
  TrainConfig config;
  config.global_train_batch_size = 4096;
  config.max_duration = {TimeUnit::kSamples, 286720000, 0};
  config.scheduler.t_warmup = {TimeUnit::kShare, 0, 0.06};
  config.eval_interval = {TimeUnit::kBatches, 2000, 0};
  config.save.interval = {TimeUnit::kEpochs, 1, 0};
  return config;
}

TEST(RunPlan, CountsSteps) {
  TrainConfig of = config();
  of.evaluation.emplace();
  const RunPlan plan = plan_run(of, kEpochSamples, 128);
  EXPECT_EQ(plan.total_steps, 70000);
  EXPECT_EQ(plan.schedule.warmup_steps, 4200);
  EXPECT_EQ(plan.schedule.total_steps, 70000);
  EXPECT_EQ(plan.evaluation_steps, 2000);
  EXPECT_EQ(plan.save_steps, 500);
}

TEST(RunPlan, CountsTokensOfABatch) {
  TrainConfig of = config();
  of.max_duration = {TimeUnit::kTokens, 12000000, 0};
  EXPECT_EQ(plan_run(of, kEpochSamples, 128).total_steps, 23);  // 4,096·128 each, rounded up
}

TEST(RunPlan, WithoutDataToEvaluateNothingIs) {
  EXPECT_EQ(plan_run(config(), kEpochSamples, 128).evaluation_steps, 0);
  EXPECT_FALSE(is_due(10, 0));
  EXPECT_TRUE(is_due(10, 5));
  EXPECT_FALSE(is_due(11, 5));
}

}  // namespace
}  // namespace m2::train
