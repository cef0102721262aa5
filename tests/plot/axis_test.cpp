#include "plot/axis.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

namespace m2 {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;

constexpr double kLargest = std::numeric_limits<double>::max();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::vector<std::string> texts(const AxisScale& scale) {
  std::vector<std::string> out;
  for (const AxisTick& tick : scale.ticks()) out.push_back(tick.text);
  return out;
}

TEST(AxisScale, LinearTicksAreRoundNumbers) {
  EXPECT_THAT(texts({{"", false}, std::vector<double>{0, 1}}),
              ElementsAre("0", "0.2", "0.4", "0.6", "0.8", "1"));
  EXPECT_THAT(texts({{"", false}, std::vector<double>{-30, 71}}),
              ElementsAre("-20", "0", "20", "40", "60"));
  EXPECT_THAT(texts({{"", false}, std::vector<double>{2.31, 2.97}}),
              ElementsAre("2.4", "2.6", "2.8"));
}

TEST(AxisScale, LogarithmicTicksArePowersOrTheirMultiples) {
  EXPECT_THAT(texts({{"", true}, std::vector<double>{1, 10000}}),
              ElementsAre("1", "10", "100", "1,000", "10,000"));
  EXPECT_THAT(texts({{"", true}, std::vector<double>{150, 2600}}),
              ElementsAre("200", "500", "1,000", "2,000"));
  EXPECT_THAT(texts({{"", true}, std::vector<double>{1, 1e40}}),
              ElementsAre("1", "10,000", "100 M", "1e+12", "1e+16", "1e+20", "1e+24", "1e+28",
                          "1e+32", "1e+36", "1e+40"));
}

TEST(AxisScale, PositionFollowsTheScale) {
  const AxisScale linear({"", false}, std::vector<double>{10, 30});
  EXPECT_THAT(linear.position(20), DoubleNear(0.5, 1e-12));
  EXPECT_GT(linear.position(10), 0);
  EXPECT_LT(linear.position(30), 1);
  const AxisScale logarithmic({"", true}, std::vector<double>{1, 10000});
  EXPECT_THAT(logarithmic.position(100), DoubleNear(0.5, 1e-12));
  // Equal factors are equal ways.
  EXPECT_THAT(logarithmic.position(20) - logarithmic.position(10),
              DoubleNear(logarithmic.position(2000) - logarithmic.position(1000), 1e-12));
}

TEST(AxisScale, NamedTicksStandWhereTheAxisReaches) {
  const PlotAxis axis = {"tokens", true, {32768, 64, 128, 2048, 2048}};
  EXPECT_THAT(texts({axis, std::vector<double>{128, 8192}}), ElementsAre("128", "2,048"));
}

TEST(AxisScale, WhatIsNotPlottableHasNoPlaceAndNoSay) {
  const std::vector<double> values = {1, kNaN, kInfinity, -kInfinity, 3};
  const AxisScale scale({"", false}, values);
  EXPECT_THAT(scale.position(2), DoubleNear(0.5, 1e-12));
  for (const double value : {kNaN, kInfinity, -kInfinity}) {
    EXPECT_TRUE(std::isnan(scale.position(value)));
  }
  const AxisScale logarithmic({"", true}, std::vector<double>{-5, 0, 1, 100});
  EXPECT_THAT(logarithmic.position(10), DoubleNear(0.5, 1e-12));
  EXPECT_TRUE(std::isnan(logarithmic.position(0)));
}

// Whatever the values, an axis has room for them and labels that tell its ticks apart.
TEST(AxisScale, HoldsExtremeValues) {
  const std::vector<std::vector<double>> many = {{},
                                                 {0},
                                                 {-7},
                                                 {5, 5, 5},
                                                 {kLargest},
                                                 {-kLargest, kLargest},
                                                 {5e-324, 1e-323},
                                                 {1e15, 1e15 + 2},
                                                 {1, std::nextafter(1.0, 2.0)},
                                                 {-1e-300, 1e300},
                                                 {123456.789, 123456.790}};
  for (const bool logarithmic : {false, true}) {
    for (const std::vector<double>& values : many) {
      const PlotAxis axis = {"", logarithmic};
      const AxisScale scale(axis, values);
      SCOPED_TRACE(testing::PrintToString(values) + (logarithmic ? " logarithmic" : ""));
      for (const double value : values) {
        if (!is_plottable(value, axis)) continue;
        EXPECT_GE(scale.position(value), 0);
        EXPECT_LE(scale.position(value), 1);
      }
      const std::vector<AxisTick> ticks = scale.ticks();
      EXPECT_LE(ticks.size(), 12u);
      std::set<std::string> labels;
      for (const AxisTick& tick : ticks) {
        EXPECT_GE(scale.position(tick.value), 0);
        EXPECT_LE(scale.position(tick.value), 1);
        labels.insert(tick.text);
      }
      EXPECT_EQ(labels.size(), ticks.size());
    }
  }
}

TEST(TickText, IsShortAndExact) {
  EXPECT_EQ(tick_text(32768, 0), "32,768");
  EXPECT_EQ(tick_text(-1234567, 0), "-1.23457 M");
  EXPECT_EQ(tick_text(999999, 0), "999,999");
  EXPECT_EQ(tick_text(-999, 0), "-999");
  EXPECT_EQ(tick_text(0.1 + 0.2, 0.1), "0.3");
  EXPECT_EQ(tick_text(1000000001, 1), "1.000000001 G");
  EXPECT_EQ(tick_text(12e6, 2e6), "12 M");
  EXPECT_EQ(tick_text(2.5e12, 5e11), "2.5e+12");
  EXPECT_EQ(tick_text(1e18, 0), "1e+18");
}

}  // namespace
}  // namespace m2
