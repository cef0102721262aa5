#include "train/config/duration.h"

#include <gtest/gtest.h>

#include "config/config_files.h"

namespace m2 {
namespace {

constexpr RunSize kSize = {4096, 4096 * 700, 128, 70000};

int64_t batches(const std::string& text, const RunSize& size = kSize) {
  return duration_batches(parse_duration(text, "x"), size);
}

TEST(Duration, IsCountedInSteps) {
  EXPECT_EQ(batches("286720000sp"), 70000);
  EXPECT_EQ(batches("4096sp"), 1);
  EXPECT_EQ(batches("4097sp"), 2);
  EXPECT_EQ(batches("0sp"), 0);
  EXPECT_EQ(batches("2000ba"), 2000);
  EXPECT_EQ(batches("524288tok"), 1);
  EXPECT_EQ(batches("524289tok"), 2);
  EXPECT_EQ(batches("3ep"), 2100);
  EXPECT_EQ(batches("0.06dur"), 4200);
  EXPECT_EQ(batches("1dur"), 70000);
  EXPECT_EQ(batches("0dur"), 0);
  EXPECT_EQ(batches("1e-9dur"), 1);
}

// 1,234 samples an epoch in batches of 1,000: two steps.
TEST(Duration, AnEpochEndsItsLastBatch) {
  RunSize size = kSize;
  size.batch_samples = 1000;
  size.epoch_samples = 1234;
  EXPECT_EQ(batches("1ep", size), 2);
  EXPECT_EQ(batches("12340sp", size), 20);
  EXPECT_EQ(batches("2234sp", size), 3);
  EXPECT_EQ(batches("2235sp", size), 4);
  EXPECT_EQ(batches("157952tok", size), 2);  // 1,234 of 128
  EXPECT_EQ(batches("157953tok", size), 3);
  size.batch_samples = 5000;
  EXPECT_EQ(batches("2468sp", size), 2);
}

// 0.07 · 100 is 7.000000000000001 in doubles, and so on: every whole percent of every length.
TEST(Duration, SharesOfWholeNumbersAreExact) {
  for (int64_t total = 100; total <= 100000; total *= 10) {
    for (int64_t percent = 0; percent <= 100; ++percent) {
      const Duration share = {TimeUnit::kShare, 0, static_cast<double>(percent) / 100};
      RunSize size = kSize;
      size.total_batches = total;
      EXPECT_EQ(duration_batches(share, size), percent * total / 100) << percent << " of " << total;
    }
  }
}

TEST(Duration, SpellingReadsBack) {
  for (const char* text : {"286720000sp", "2000ba", "7tok", "3ep", "0.06dur", "1e-09dur", "1dur",
                           "9223372036854775807ba"}) {
    EXPECT_EQ(duration_spelling(parse_duration(text, "x")), text);
  }
}

TEST(Duration, RefusesWhatIsNone) {
  for (const char* text : {"", "ba", "10", "-1ba", "1.5ba", "1 ba", "ten ba", "1.1dur", "-0.1dur",
                           "nandur", "infdur", "9223372036854775808ba", "1baa", "0x10ba", "1s"}) {
    SCOPED_TRACE(text);
    expect_error(ErrorKind::kInput, "a.yaml: max_duration is",
                 [&] { parse_duration(text, "a.yaml: max_duration"); });
  }
  expect_error(ErrorKind::kInput, "optimiser steps", [] { batches("9223372036854775807ep"); });
  expect_error(ErrorKind::kInput, "optimiser steps", [] { batches("9223372036854775807ba"); });
}

}  // namespace
}  // namespace m2
