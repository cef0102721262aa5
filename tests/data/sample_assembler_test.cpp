#include "data/sample_assembler.h"

#include <algorithm>
#include <cmath>

#include "data/counter_random.h"
#include "data/data_files.h"

namespace m2 {
namespace {

using Lists = std::vector<std::vector<int32_t>>;

constexpr SampleFrame kFrame = {kCls, kSep, 4};

std::vector<int32_t> tokens(int32_t first, size_t count) {
  std::vector<int32_t> ids(count);
  std::iota(ids.begin(), ids.end(), first);
  return ids;
}

Lists lists_of(const SampleList& samples) {
  Lists lists;
  for (size_t i = 0; i + 1 < samples.offsets.size(); ++i) {
    lists.emplace_back(samples.ids.begin() + samples.offsets[i],
                       samples.ids.begin() + samples.offsets[i + 1]);
  }
  return lists;
}

Lists assemble(const Lists& documents, const AssemblyOptions& options) {
  SampleAssembler assembler(kFrame, options);
  SampleList samples;
  for (const auto& document : documents)
    assembler.add(document, mix_bits(samples.samples()), samples);
  assembler.finish(samples);
  return lists_of(samples);
}

TEST(SampleAssembler, CutsLongDocumentsIntoPieces) {
  EXPECT_EQ(assemble({tokens(10, 9), tokens(20, 4), tokens(30, 1), {}}, {}),
            (Lists{{2, 10, 11, 12, 13, 3},
                   {2, 14, 15, 16, 17, 3},
                   {2, 18, 3},
                   {2, 20, 21, 22, 23, 3},
                   {2, 30, 3}}));
}

TEST(SampleAssembler, TruncateKeepsTheFirstPiece) {
  EXPECT_EQ(assemble({tokens(10, 9), tokens(20, 3)}, {true, 0}),
            (Lists{{2, 10, 11, 12, 13, 3}, {2, 20, 21, 22, 3}}));
}

TEST(SampleAssembler, JoinsShortDocuments) {
  // After 20 there is no room for a [SEP] and a token more.
  EXPECT_EQ(
      assemble({tokens(10, 2), tokens(15, 1), tokens(20, 3), tokens(30, 2), tokens(40, 3)},
               {false, 1}),
      (Lists{{2, 10, 11, 3, 15, 3}, {2, 20, 21, 22, 3}, {2, 30, 31, 3, 40, 3}, {2, 41, 42, 3}}));
}

TEST(SampleAssembler, LongDocumentsAreNotJoined) {
  EXPECT_EQ(assemble({tokens(10, 1), tokens(20, 5), tokens(30, 4), tokens(40, 1)}, {false, 1}),
            (Lists{{2, 20, 21, 22, 23, 3}, {2, 24, 3}, {2, 30, 31, 32, 33, 3}, {2, 10, 3, 40, 3}}));
}

TEST(SampleAssembler, NoTokenIsLostOrMadeUp) {
  for (const double share : {0.0, 0.3, 1.0}) {
    for (const size_t room : {size_t{1}, size_t{2}, size_t{3}, size_t{7}}) {
      SampleAssembler assembler({kCls, kSep, room}, {false, share});
      SampleList samples;
      std::vector<int32_t> expected, found;
      int32_t next = 10;
      for (size_t i = 0; i < 300; ++i) {
        const std::vector<int32_t> document = tokens(next, i * 31 % 11);
        next += static_cast<int32_t>(document.size());
        expected.insert(expected.end(), document.begin(), document.end());
        assembler.add(document, mix_bits(i), samples);
      }
      assembler.finish(samples);
      for (const auto& sample : lists_of(samples)) {
        EXPECT_LE(sample.size(), room + 2);
        EXPECT_EQ(sample.front(), kCls);
        EXPECT_EQ(sample.back(), kSep);
        for (const int32_t id : sample) {
          if (id >= 10) found.push_back(id);
        }
        EXPECT_EQ(std::count(sample.begin(), sample.end(), kCls), 1);
        EXPECT_NE(sample[sample.size() - 2], kSep);
      }
      std::sort(found.begin(), found.end());  // joined ones come later
      EXPECT_EQ(found, expected) << share << " " << room;
    }
  }
}

TEST(SampleAssembler, JoinedSamplesAreFull) {
  SampleAssembler assembler({kCls, kSep, 50}, {false, 1});
  SampleList samples;
  for (size_t i = 0; i < 500; ++i) assembler.add(tokens(10, 1 + i * 17 % 49), i, samples);
  const size_t whole = samples.samples();
  EXPECT_GT(whole, 200u);
  for (const auto& sample : lists_of(samples)) EXPECT_GE(sample.size(), 51u);
}

TEST(SampleAssembler, GoesOnWithWhatWaited) {
  const Lists documents = {tokens(10, 2), tokens(15, 1), tokens(20, 3), tokens(30, 2)};
  SampleAssembler whole(kFrame, {false, 1}), first(kFrame, {false, 1}), rest(kFrame, {false, 1});
  SampleList expected, found;
  for (size_t i = 0; i < 4; ++i) {
    whole.add(documents[i], i, expected);
    if (i == 2) rest.set_waiting(first.waiting());
    (i < 2 ? first : rest).add(documents[i], i, found);
  }
  EXPECT_EQ(rest.waiting(), whole.waiting());
  EXPECT_EQ(lists_of(found), lists_of(expected));
}

// Shares to six standard deviations; the two choices know nothing of each other.
TEST(SampleAssembler, ChoosesByHashInTheStatedShares) {
  constexpr uint64_t kDocuments = 20'000;
  constexpr double kHeld = 0.05, kJoined = 0.7;
  double held = 0, joined = 0, both = 0;
  for (uint64_t i = 0; i < kDocuments; ++i) {
    const uint64_t hash = mix_bits(i);
    SampleAssembler assembler(kFrame, {false, kJoined});
    SampleList samples;
    assembler.add(tokens(10, 1), hash, samples);
    const bool is_held = is_held_back(hash, kHeld), is_joined = samples.samples() == 0;
    held += is_held ? 1 : 0;
    joined += is_joined ? 1 : 0;
    both += is_held && is_joined ? 1 : 0;
  }
  const auto deviation = [](double n, double p) { return 6 * std::sqrt(n * p * (1 - p)); };
  EXPECT_NEAR(held, kDocuments * kHeld, deviation(kDocuments, kHeld));
  EXPECT_NEAR(joined, kDocuments * kJoined, deviation(kDocuments, kJoined));
  EXPECT_NEAR(both, held * kJoined, deviation(held, kJoined));
  EXPECT_FALSE(is_held_back(mix_bits(1), 0));
}

}  // namespace
}  // namespace m2
