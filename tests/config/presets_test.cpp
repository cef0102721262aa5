#include "config/presets.h"

#include <gtest/gtest.h>

#include "config/config_files.h"
#include "config/parameters.h"

namespace m2 {
namespace {

// Parameters in millions, to the digit that the publications give.
TEST(Presets, CountsAreThePublishedOnes) {
  const struct {
    const char* name;
    int64_t length;
    double millions;
  } table[] = {
      {"m2-bert-80M", 128, 79.6},   {"m2-bert-80M", 32768, 104.7}, {"m2-bert-110M", 128, 114.6},
      {"m2-bert-260M", 128, 256.7}, {"m2-bert-341M", 128, 337.8},
  };
  for (const auto& [name, length, millions] : table) {
    const double counted = static_cast<double>(count_parameters(preset(name, length))) / 1e6;
    EXPECT_NEAR(counted, millions, 0.05) << name << " at " << length;
  }
}

// BERT-base without its pooler: 109.48 M with it, of which 0.59 M are the pooler's.
TEST(Presets, BertBaseCount) {
  EXPECT_EQ(count_parameters(preset("bert-base", 512)), 109482240 - (768 * 768 + 768));
}

TEST(Presets, AllAreValidAndSaySo) {
  for (const Preset& known : kPresets) {
    const ModelConfig config = preset(known.name, 2048);
    EXPECT_EQ(config.max_length(), 2048);
    EXPECT_EQ(config.padding, default_padding(known.family));
    EXPECT_FALSE(config.padding_stated);
  }
}

TEST(Presets, UnknownNamesAndLengthsAreUsageErrors) {
  expect_error(ErrorKind::kUsage, "m2-bert-80M, m2-bert-110M", [] { preset("m2-bert-1T", 128); });
  expect_error(ErrorKind::kUsage, "length 0", [] { preset("m2-bert-80M", 0); });
  expect_error(ErrorKind::kUsage, "length -5", [] { preset("bert-base", -5); });
}

}  // namespace
}  // namespace m2
