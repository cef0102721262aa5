#include "data/masking.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <numeric>
#include <vector>

#include "core/error.h"
#include "data/counter_random.h"
#include "data/data_files.h"

namespace m2 {
namespace {

constexpr int64_t kVocabulary = 1000;

MaskingOptions options(uint64_t seed = 7) {
  MaskingOptions options;
  options.vocabulary_size = kVocabulary;
  options.special = kSpecial;
  options.seed = seed;
  return options;
}

struct Masked {
  std::vector<int64_t> ids, labels;
  int64_t chosen = 0;
  bool operator==(const Masked&) const = default;
};

Masked mask(const Masking& masking, uint64_t sample, uint64_t visit, std::vector<int64_t> ids) {
  Masked result;
  result.ids = std::move(ids);
  result.labels.assign(result.ids.size(), 12345);
  result.chosen = masking.mask(sample, visit, result.ids, result.labels);
  return result;
}

std::vector<int64_t> some_ids(size_t count) {
  std::vector<int64_t> ids(count);
  for (size_t i = 0; i < count; ++i) {
    ids[i] = kFirstWord + static_cast<int64_t>(i * 7919) % (kVocabulary - kFirstWord);
  }
  return ids;
}

// A count of n events of probability p is within six standard deviations of n·p but for one case in
// 5e8.
void expect_binomial(double count, double n, double p) {
  EXPECT_NEAR(count, n * p, 6 * std::sqrt(n * p * (1 - p))) << "of " << n << " at " << p;
}

// The published test vectors of Random123.
TEST(Philox, GivesThePublishedNumbers) {
  using Numbers = std::array<uint32_t, 4>;
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}),
            (Numbers{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}),
            (Numbers{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Numbers{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

struct Counts {
  double tokens = 0, chosen = 0, masked = 0, kept = 0, replaced = 0;
  std::vector<double> drawn = std::vector<double>(kVocabulary);
};

Counts count(const Masking& masking, size_t samples, size_t length) {
  Counts counts;
  const std::vector<int64_t> ids = some_ids(length);
  for (uint64_t sample = 0; sample < samples; ++sample) {
    const Masked result = mask(masking, sample, 0, ids);
    for (size_t i = 0; i < length; ++i) {
      ++counts.tokens;
      if (result.labels[i] == kNoLabel) {
        EXPECT_EQ(result.ids[i], ids[i]);
        continue;
      }
      EXPECT_EQ(result.labels[i], ids[i]);
      ++counts.chosen;
      if (result.ids[i] == kMask) {
        ++counts.masked;
      } else if (result.ids[i] == ids[i]) {
        ++counts.kept;
      } else {
        ++counts.replaced;
        ++counts.drawn[static_cast<size_t>(result.ids[i])];
      }
    }
  }
  return counts;
}

TEST(Masking, KeepsTheStatedShares) {
  const Counts counts = count(Masking(options()), 4000, 250);  // 1 M tokens
  expect_binomial(counts.chosen, counts.tokens, 0.30);
  // A uniform token is [MASK] or the one that stood there once in a vocabulary each.
  const double one = 0.1 / kVocabulary;
  expect_binomial(counts.masked, counts.chosen, 0.8 + one);
  expect_binomial(counts.kept, counts.chosen, 0.1 + one);
  expect_binomial(counts.replaced, counts.chosen, 0.1 - 2 * one);
  // Each token as often as any other; [MASK] is counted with the masked.
  for (size_t id = 0; id < kVocabulary; ++id) {
    if (id != kMask) expect_binomial(counts.drawn[id], counts.replaced, 1.0 / kVocabulary);
  }
}

TEST(Masking, FollowsOtherShares) {
  MaskingOptions other = options();
  other.probability = 0.15;
  other.mask_share = 0.5;
  other.random_share = 0.5;
  const Counts counts = count(Masking(other), 1000, 200);
  expect_binomial(counts.chosen, counts.tokens, 0.15);
  expect_binomial(counts.masked, counts.chosen, 0.5 + 0.5 / kVocabulary);
  expect_binomial(counts.kept, counts.chosen, 0.5 / kVocabulary);
}

// The bounds are narrow enough: a rule off by two percent leaves them.
TEST(Masking, ADifferentRuleIsSeen) {
  MaskingOptions wrong = options();
  wrong.probability = 0.306;
  const Counts counts = count(Masking(wrong), 4000, 250);
  const double deviation = std::sqrt(counts.tokens * 0.3 * 0.7);
  EXPECT_GT(std::abs(counts.chosen - 0.3 * counts.tokens), 6 * deviation);
}

TEST(Masking, TheEndsOfTheRangeAreExact) {
  MaskingOptions all = options();
  all.probability = 1;
  all.mask_share = 1;
  all.random_share = 0;
  const Masked every = mask(Masking(all), 0, 0, some_ids(1000));
  EXPECT_EQ(every.ids, std::vector<int64_t>(1000, kMask));
  EXPECT_EQ(every.chosen, 1000);
  all.probability = 0;
  const Masked none = mask(Masking(all), 0, 0, some_ids(1000));
  EXPECT_EQ(none.ids, some_ids(1000));
  EXPECT_EQ(none.labels, std::vector<int64_t>(1000, kNoLabel));
}

TEST(Masking, SpecialTokensAreNeverChosen) {
  MaskingOptions all = options();
  all.probability = 1;
  const std::vector<int64_t> ids = {kCls, kUnk, kFirstWord, kMask, kSep, kPad, kPad};
  const Masked result = mask(Masking(all), 0, 0, ids);
  EXPECT_EQ(result.labels, (std::vector<int64_t>{kNoLabel, kNoLabel, kFirstWord, kNoLabel, kNoLabel,
                                                 kNoLabel, kNoLabel}));
  EXPECT_EQ(result.chosen, 1);
}

TEST(Masking, DependsOnSeedSampleAndVisitAlone) {
  const Masking masking(options());
  const std::vector<int64_t> ids = some_ids(500);
  const Masked result = mask(masking, 3, 1, ids);
  mask(masking, 8, 0, some_ids(90));  // what is masked in between changes nothing
  EXPECT_EQ(mask(Masking(options()), 3, 1, ids), result);
  EXPECT_FALSE(mask(masking, 3, 2, ids) == result);
  EXPECT_FALSE(mask(masking, 4, 1, ids) == result);
  EXPECT_FALSE(mask(masking, 3 + (uint64_t{1} << 32), 1, ids) == result);
  EXPECT_FALSE(mask(Masking(options(8)), 3, 1, ids) == result);
  EXPECT_FALSE(mask(Masking(options(7 + (uint64_t{1} << 32))), 3, 1, ids) == result);
  // A longer text begins the same.
  Masked longer = mask(masking, 3, 1, some_ids(600));
  longer.ids.resize(500);
  EXPECT_EQ(longer.ids, result.ids);
}

TEST(Masking, RefusesWhatMakesNoSense) {
  const auto refused = [](auto change) {
    MaskingOptions wrong = options();
    change(wrong);
    try {
      const Masking masking(wrong);
    } catch (const Error& error) {
      return error.kind() == ErrorKind::kUsage;
    }
    return false;
  };
  EXPECT_FALSE(refused([](MaskingOptions&) {}));
  EXPECT_TRUE(refused([](MaskingOptions& o) { o.probability = 1.01; }));
  EXPECT_TRUE(refused([](MaskingOptions& o) { o.probability = std::nan(""); }));
  EXPECT_TRUE(refused([](MaskingOptions& o) { o.mask_share = -0.1; }));
  EXPECT_TRUE(refused([](MaskingOptions& o) { o.random_share = 0.3; }));
  EXPECT_TRUE(refused([](MaskingOptions& o) { o.vocabulary_size = 0; }));
  EXPECT_TRUE(refused([](MaskingOptions& o) { o.special.mask = -1; }));
  EXPECT_TRUE(refused([](MaskingOptions& o) { o.special.mask = kVocabulary; }));
}

}  // namespace
}  // namespace m2
