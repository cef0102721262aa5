#include "data/stream.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "data/data_files.h"

namespace m2 {
namespace {

using testing::ElementsAre;
using Weights = std::vector<StreamWeight>;
using Counts = std::vector<uint64_t>;

StreamWeight proportion(double value) {
  return {value, {}, {}};
}
StreamWeight repeat(double value) {
  return {{}, value, {}};
}
StreamWeight samples(int64_t value) {
  return {{}, {}, value};
}

Counts taken(const Weights& weights, const Counts& available, uint64_t epoch = 0) {
  return samples_per_epoch(weights, available, epoch);
}

bool refused(const Weights& weights, const Counts& available, uint64_t epoch = 0) {
  try {
    taken(weights, available, epoch);
  } catch (const Error& error) {
    return error.kind() == ErrorKind::kUsage;
  }
  return false;
}

TEST(StreamWeights, AreThoseOfMosaicStreaming) {
  EXPECT_THAT(taken({{}, {}}, {10, 20}), ElementsAre(10, 20));
  EXPECT_THAT(taken({repeat(2.5), {}}, {11, 20}), ElementsAre(27, 20));
  EXPECT_THAT(taken({repeat(0.1), samples(50)}, {19, 20}), ElementsAre(1, 50));
  EXPECT_THAT(taken({proportion(1), proportion(3)}, {10, 30}), ElementsAre(10, 30));
  EXPECT_THAT(taken({proportion(0.5), proportion(0.5)}, {10, 30}), ElementsAre(20, 20));
  EXPECT_THAT(taken({proportion(1), proportion(1)}, {10, 30}, 7), ElementsAre(4, 3));
  EXPECT_THAT(taken({proportion(1), proportion(1), proportion(2)}, {5, 5, 5}, 10),
              ElementsAre(3, 2, 5));
}

TEST(StreamWeights, RefusesWhatMakesNoSense) {
  EXPECT_TRUE(refused({}, {}));
  EXPECT_TRUE(refused({proportion(1), {}}, {5, 5}));
  EXPECT_TRUE(refused({proportion(0), proportion(1)}, {5, 5}));
  EXPECT_TRUE(refused({repeat(-1)}, {5}));
  EXPECT_TRUE(refused({repeat(std::nan(""))}, {5}));
  EXPECT_TRUE(refused({repeat(1e300)}, {5}));
  EXPECT_TRUE(refused({samples(0)}, {5}));
  EXPECT_TRUE(refused({repeat(0.1)}, {5}));   // leaves none
  EXPECT_TRUE(refused({{}, {}}, {5, 5}, 7));  // an epoch's size is shared out by proportions alone
  EXPECT_TRUE(refused({samples(3)}, {5}, 3));
  EXPECT_TRUE(refused({StreamWeight{{}, 1.0, 5}}, {5}));
}

std::vector<Draw> epoch_of(const SampleOrder& order, uint64_t epoch) {
  std::vector<Draw> draws;
  for (uint64_t i = 0; i < order.epoch_samples(); ++i) draws.push_back(order.at(epoch, i));
  return draws;
}

TEST(SampleOrder, WithoutShuffleGoesThroughTheStreams) {
  const SampleOrder order({2, 5}, {2, 3}, 1, false);
  const auto draw = [](size_t stream, uint64_t sample, uint64_t visit) {
    return Draw{stream, sample, visit};
  };
  EXPECT_THAT(epoch_of(order, 0),
              ElementsAre(draw(0, 0, 0), draw(0, 1, 0), draw(1, 0, 0), draw(1, 1, 0), draw(1, 2, 0),
                          draw(1, 0, 1), draw(1, 1, 1)));
  EXPECT_EQ(order.at(1, 2), draw(1, 2, 1));  // where the stream has stopped
}

TEST(SampleOrder, AnEpochTakesWhatIsStated) {
  const SampleOrder order({30, 127, 5}, {10, 127, 1000}, 9, true);
  for (uint64_t epoch = 0; epoch < 3; ++epoch) {
    std::map<size_t, uint64_t> counts;
    for (const Draw& draw : epoch_of(order, epoch)) ++counts[draw.stream];
    EXPECT_EQ(counts[0], 30u);
    EXPECT_EQ(counts[1], 127u);
    EXPECT_EQ(counts[2], 5u);
  }
}

// Over epochs every sample is met, each visit once, and none twice before the others once.
TEST(SampleOrder, VisitsDifferByOneAtMost) {
  const Counts available = {7, 20, 3};
  const SampleOrder order({10, 8, 3}, available, 5, true);
  std::map<std::pair<size_t, uint64_t>, uint64_t> visits;
  std::set<std::tuple<size_t, uint64_t, uint64_t>> met;
  for (uint64_t epoch = 0; epoch < 11; ++epoch) {
    for (const Draw& draw : epoch_of(order, epoch)) {
      ASSERT_LT(draw.sample, available[draw.stream]);
      ASSERT_TRUE(met.insert({draw.stream, draw.sample, draw.visit}).second);
      ++visits[{draw.stream, draw.sample}];
    }
    for (size_t stream = 0; stream < available.size(); ++stream) {
      uint64_t least = UINT64_MAX, most = 0;
      for (uint64_t sample = 0; sample < available[stream]; ++sample) {
        least = std::min(least, visits[{stream, sample}]);
        most = std::max(most, visits[{stream, sample}]);
      }
      EXPECT_LE(most - least, 1u) << stream;
    }
  }
}

TEST(SampleOrder, DependsOnSeedAndEpoch) {
  const SampleOrder order({100}, {100}, 1, true), other({100}, {100}, 2, true);
  EXPECT_EQ(epoch_of(order, 0), epoch_of(SampleOrder({100}, {100}, 1, true), 0));
  EXPECT_NE(epoch_of(order, 0), epoch_of(other, 0));
  std::vector<Draw> second = epoch_of(order, 1);
  for (Draw& draw : second) draw.visit = 0;
  EXPECT_NE(epoch_of(order, 0), second);
  // Where two streams take turns, too.
  const SampleOrder two({50, 50}, {50, 50}, 1, true);
  const auto turns = [&](uint64_t epoch) {
    std::vector<size_t> streams;
    for (const Draw& draw : epoch_of(two, epoch)) streams.push_back(draw.stream);
    return streams;
  };
  EXPECT_NE(turns(0), turns(1));
}

// Streams are mixed, not one behind the other: the places of a third of the draws have the mean of
// all places, to six standard errors of n/√(12·n/3).
TEST(SampleOrder, MixesTheStreams) {
  constexpr uint64_t kThird = 2000;
  const SampleOrder order({kThird, 2 * kThird}, {kThird, 2 * kThird}, 3, true);
  double sum = 0;
  for (uint64_t i = 0; i < 3 * kThird; ++i) {
    if (order.at(0, i).stream == 0) sum += static_cast<double>(i);
  }
  const double n = 3 * kThird;
  EXPECT_NEAR(sum / kThird, n / 2, 6 * n / std::sqrt(12.0 * kThird));
}

TEST(StreamSet, ReadsFromItsDatasets) {
  const TestFolder folder;
  const Tokenizer tokenizer = word_tokenizer(folder);
  const Vocabulary vocabulary = vocabulary_of(tokenizer);
  write_dataset(folder, "a/train", {{2, 5, 3}, {2, 6, 3}}, 8, vocabulary);
  write_dataset(folder, "b", {{2, 7, 3}}, 8, vocabulary);
  const StreamSet streams({{folder.path("a"), "train", {}}, {folder.path("b"), "", {}}},
                          {8, &tokenizer}, 1, false);
  std::vector<int32_t> ids;
  std::vector<int32_t> words;
  std::vector<uint64_t> numbers;
  for (uint64_t i = 0; i < streams.order().epoch_samples(); ++i) {
    const Draw draw = streams.order().at(0, i);
    streams.read(draw, ids);
    words.push_back(ids.at(1));
    numbers.push_back(streams.number_of(draw));
  }
  EXPECT_THAT(words, ElementsAre(5, 6, 7));
  EXPECT_THAT(numbers, ElementsAre(0, 1, 2));
}

TEST(StreamSet, RefusesTwoVocabularies) {
  const TestFolder folder;
  Vocabulary vocabulary = vocabulary_of(word_tokenizer(folder));
  write_dataset(folder, "a", {{2, 5, 3}}, 8, vocabulary);
  vocabulary.hash ^= 1;
  write_dataset(folder, "b", {{2, 5, 3}}, 8, vocabulary);
  EXPECT_THAT(refusal([&] {
                StreamSet({{folder.path("a"), "", {}}, {folder.path("b"), "", {}}}, {8, nullptr}, 1,
                          true);
              }),
              testing::HasSubstr("another vocabulary than the other streams"));
}

}  // namespace
}  // namespace m2
