#include "train/metrics/pace.h"

#include <gtest/gtest.h>

#include <cmath>

namespace m2 {
namespace {

TEST(Pace, IsTheMeanOfTheLastSteps) {
  Pace pace(100, 2);
  EXPECT_EQ(pace.tokens_per_second(), 0);
  EXPECT_EQ(pace.wait_share(), 0);
  EXPECT_EQ(pace.loss(), 0);
  pace.add({1, 9, 1000, 10, 10, 1e6});  // leaves the window
  pace.add({2, 4, 300, 1, 0.5, 10});
  pace.add({3, 2, 100, 3, 0.5, 90});
  EXPECT_EQ(pace.step(), 3);
  EXPECT_EQ(pace.loss(), 3);
  EXPECT_EQ(pace.tokens_per_second(), 100);  // 400 in 4 s, not the mean of 300 and 33
  EXPECT_EQ(pace.flops_per_second(), 25);
  EXPECT_EQ(pace.wait_share(), 0.25);
  EXPECT_EQ(pace.seconds_left(), 97 * 2);
}

TEST(Pace, AStepWithoutALossHasNoPartInTheMean) {
  Pace pace(100, 5);
  pace.add({1, 2, 10, 1, 0});
  pace.add({2, std::nan(""), 10, 1, 0});
  EXPECT_EQ(pace.loss(), 2);
}

TEST(Pace, TheEndLeavesNothing) {
  Pace pace(3, 5);
  pace.add({3, 2, 10, 1, 0});
  EXPECT_EQ(pace.seconds_left(), 0);
  pace.add({4, 2, 10, 1, 0});
  EXPECT_EQ(pace.seconds_left(), 0);
}

TEST(Pace, Line) {
  Pace pace(70000, 10);
  pace.add({120, 6.4116, 51200, 10, 0.12});
  EXPECT_EQ(pace.line(), "step 120/70,000  loss 6.412  5,120 tokens/s  waits 1 %  194:06:40 left");
}

}  // namespace
}  // namespace m2
