#include "train/loop/loss_watch.h"

#include <gtest/gtest.h>

namespace m2::train {
namespace {

void add(LossWatch& watch, double loss, size_t times) {
  for (size_t i = 0; i < times; ++i) watch.add(loss);
}

TEST(LossWatch, SeesAMeanThatRises) {
  LossWatch watch(1);
  add(watch, 5, LossWatch::kSteps);
  EXPECT_EQ(watch.lowest(), 5);
  add(watch, 6.5, LossWatch::kSteps / 2);  // mean 5.75
  EXPECT_FALSE(watch.diverged());
  add(watch, 6.5, LossWatch::kSteps / 2);
  EXPECT_EQ(watch.mean(), 6.5);
  EXPECT_TRUE(watch.diverged());
}

TEST(LossWatch, OneBadStepIsNone) {
  LossWatch watch(1);
  add(watch, 5, LossWatch::kSteps);
  watch.add(5 + 0.9 * LossWatch::kSteps);
  EXPECT_FALSE(watch.diverged());
}

TEST(LossWatch, SaysNothingBeforeItHasSeenEnough) {
  LossWatch watch(1);
  add(watch, 1, 1);
  add(watch, 9, LossWatch::kSteps - 2);
  EXPECT_EQ(watch.mean(), std::nullopt);
  EXPECT_FALSE(watch.diverged());
}

TEST(LossWatch, MarginZeroIsNever) {
  LossWatch watch(0);
  add(watch, 1, LossWatch::kSteps);
  add(watch, 1e9, LossWatch::kSteps);
  EXPECT_FALSE(watch.diverged());
}

TEST(LossWatch, GoesOnFromWhatItKnew) {
  LossWatch watch(1), resumed(1);
  add(watch, 5, LossWatch::kSteps);
  add(watch, 6.5, LossWatch::kSteps / 2);
  resumed.restore(watch.recent(), watch.lowest());
  add(resumed, 6.5, LossWatch::kSteps / 2);
  EXPECT_TRUE(resumed.diverged());
}

}  // namespace
}  // namespace m2::train
