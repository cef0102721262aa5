#include "train/loop/sample_batches.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <optional>
#include <thread>

#include "train/loop/batch_prefetch.h"
#include "train/loop/small_data.h"

namespace m2::train {
namespace {

using testing::ElementsAre;
using testing::UnorderedElementsAreArray;

BatchOptions of_size(int64_t samples, bool drop_last = true) {
  BatchOptions options;
  options.samples = samples;
  options.drop_last = drop_last;
  options.max_seq_len = kMostTokens;
  options.seed = 9;
  return options;
}

// The texts of a batch as they were before they were masked: no two samples are equal, so they say
// which samples it holds.
Samples texts_of(const m2::Batch& batch) {
  Samples texts;
  for (int64_t row = 0; row < batch.rows; ++row) {
    std::vector<int32_t>& text = texts.emplace_back();
    for (int64_t t = 0; t < batch.lengths[static_cast<size_t>(row)]; ++t) {
      const auto at = static_cast<size_t>(row * batch.length + t);
      const int64_t label = batch.labels[at];
      text.push_back(static_cast<int32_t>(label == kNoLabel ? batch.ids[at] : label));
    }
  }
  return texts;
}

// Batches [first, end), one after the other.
Samples texts_of(const SampleBatches& batches, int64_t first, int64_t end) {
  Samples texts;
  for (int64_t number = first; number < end; ++number) {
    for (auto& text : texts_of(batches.read(number))) texts.push_back(std::move(text));
  }
  return texts;
}

Samples part(const Samples& samples, int64_t first, int64_t end) {
  return {samples.begin() + first, samples.begin() + end};
}

void expect_equal(const m2::Batch& found, const m2::Batch& expected) {
  EXPECT_EQ(found.rows, expected.rows);
  EXPECT_EQ(found.length, expected.length);
  EXPECT_EQ(found.ids, expected.ids);
  EXPECT_EQ(found.labels, expected.labels);
  EXPECT_EQ(found.attention_mask, expected.attention_mask);
  EXPECT_EQ(found.lengths, expected.lengths);
  EXPECT_EQ(found.tokens, expected.tokens);
  EXPECT_EQ(found.labelled, expected.labelled);
}

class SampleBatchesTest : public testing::Test {
 protected:
  SampleBatches open(const BatchOptions& options, bool shuffle = false) const {
    LoaderConfig loader = loader_;
    loader.shuffle = shuffle;
    return {loader, options, data_.tokenizer()};
  }

  SmallData data_;
  Samples samples_ = uneven_samples(10);
  LoaderConfig loader_ = data_.loader(samples_);
};

TEST_F(SampleBatchesTest, AnotherOrderInEachEpoch) {
  const SampleBatches batches = open(of_size(5), true);
  ASSERT_EQ(batches.epoch_batches(), 2);
  const Samples first = texts_of(batches, 0, 2), second = texts_of(batches, 2, 4);
  EXPECT_THAT(first, UnorderedElementsAreArray(samples_));
  EXPECT_THAT(second, UnorderedElementsAreArray(samples_));
  EXPECT_NE(first, samples_);
  EXPECT_NE(second, samples_);
  EXPECT_NE(second, first);
}

TEST_F(SampleBatchesTest, TheDataOrderWithoutShuffle) {
  const SampleBatches batches = open(of_size(5));
  EXPECT_EQ(texts_of(batches, 0, 2), samples_);
  EXPECT_EQ(texts_of(batches, 2, 4), samples_);
}

TEST_F(SampleBatchesTest, AnEpochEndsInASmallerBatch) {
  const SampleBatches ordered = open(of_size(4, false));
  ASSERT_EQ(ordered.epoch_batches(), 3);
  EXPECT_EQ(texts_of(ordered.read(2)), part(samples_, 8, 10));
  EXPECT_EQ(texts_of(ordered.read(3)), part(samples_, 0, 4));
  const SampleBatches shuffled = open(of_size(4, false), true);
  EXPECT_THAT(texts_of(shuffled, 0, 3), UnorderedElementsAreArray(samples_));
  EXPECT_THAT(texts_of(shuffled, 3, 6), UnorderedElementsAreArray(samples_));
  EXPECT_EQ(shuffled.read(5).rows, 2);
}

TEST_F(SampleBatchesTest, AnEpochsRestIsDropped) {
  const SampleBatches ordered = open(of_size(4));
  ASSERT_EQ(ordered.epoch_batches(), 2);
  EXPECT_EQ(ordered.epoch_samples(), 10);
  EXPECT_EQ(texts_of(ordered, 0, 2), part(samples_, 0, 8));
  EXPECT_EQ(texts_of(ordered, 2, 4), part(samples_, 0, 8));
  // Shuffled, the rest is another in each epoch, the places of the others stay.
  const SampleBatches shuffled = open(of_size(4), true);
  for (int64_t epoch = 0; epoch < 3; ++epoch) {
    EXPECT_EQ(texts_of(shuffled, 2 * epoch, 2 * epoch + 2),
              texts_of(shuffled.read_samples(epoch, 0, 8)));
  }
  EXPECT_NE(texts_of(shuffled.read_samples(0, 8, 2)), texts_of(shuffled.read_samples(1, 8, 2)));
}

TEST_F(SampleBatchesTest, ABatchOfAllAndOneThatIsNeverFull) {
  EXPECT_EQ(open(of_size(10)).epoch_batches(), 1);
  EXPECT_EQ(open(of_size(11, false)).epoch_batches(), 1);
  EXPECT_EQ(texts_of(open(of_size(11, false)).read(1)), samples_);
  const std::string line = refusal([&] { open(of_size(11)); });
  EXPECT_NE(line.find("an epoch of 10 samples fills no batch of 11"), line.npos) << line;
  EXPECT_EQ(line.find(data_.path("data")), 0u) << line;
}

TEST_F(SampleBatchesTest, MasksDifferBetweenEpochsAlone) {
  const SampleBatches batches = open(of_size(10)), again = open(of_size(10));
  const m2::Batch first = batches.read(0), second = batches.read(1);
  ASSERT_EQ(texts_of(first), texts_of(second));
  EXPECT_NE(first.labels, second.labels);
  EXPECT_NE(first.ids, second.ids);
  expect_equal(again.read(1), second);
  expect_equal(again.read(0), first);
}

TEST_F(SampleBatchesTest, OneSeedOrdersAndOneMasks) {
  BatchOptions options = of_size(10), other = options;
  other.seed = 10;
  EXPECT_NE(texts_of(open(options, true).read(0)), texts_of(open(other, true).read(0)));
  loader_.shuffle_seed = 4;
  const m2::Batch one = open(options, true).read(0), two = open(other, true).read(0);
  EXPECT_EQ(texts_of(one), texts_of(two));
  EXPECT_NE(one.labels, two.labels);
  loader_.shuffle_seed = 5;
  EXPECT_NE(texts_of(open(options, true).read(0)), texts_of(one));
}

TEST_F(SampleBatchesTest, PaddedToFullLengthOrToTheLongestRow) {
  BatchOptions options = of_size(4);
  EXPECT_EQ(open(options).read(0).length, 17);  // of 3, 10, 17 and 4 tokens
  EXPECT_EQ(open(options).read(1).length, 18);  // of 11, 18, 5 and 12
  options.full_length = true;
  const m2::Batch batch = open(options).read(0);
  EXPECT_EQ(batch.length, kMostTokens);
  EXPECT_THAT(batch.lengths, ElementsAre(3, 10, 17, 4));
  for (int64_t row = 0; row < 4; ++row) {
    const auto end = batch.attention_mask.begin() + (row + 1) * kMostTokens;
    EXPECT_EQ(std::count(end - kMostTokens, end, 1), batch.lengths[static_cast<size_t>(row)]);
  }
  EXPECT_EQ(texts_of(batch), part(samples_, 0, 4));
}

TEST_F(SampleBatchesTest, TokensOfASample) {
  BatchOptions options = of_size(4);
  double sum = 0;
  for (const auto& sample : samples_) sum += static_cast<double>(sample.size());
  EXPECT_DOUBLE_EQ(open(options).sample_tokens(), sum / 10);
  EXPECT_DOUBLE_EQ(open(options, true).sample_tokens(), sum / 10);
  options.full_length = true;
  EXPECT_EQ(open(options).sample_tokens(), kMostTokens);
}

TEST_F(SampleBatchesTest, TokensOfTheFirstSamplesOfALargeEpoch) {
  Samples samples(512, word_sample(0, 1));
  samples.resize(600, word_sample(0, 20));
  loader_ = data_.loader(samples);
  EXPECT_EQ(open(of_size(4)).sample_tokens(), 3);
  // Shuffled, they are a part of all: neither only short ones nor only long ones.
  const double mean = open(of_size(4), true).sample_tokens();
  EXPECT_GT(mean, 4);
  EXPECT_LT(mean, 7.5);
}

TEST_F(SampleBatchesTest, StreamsHaveTheirWeights) {
  const Samples all = uneven_samples(16), left = part(all, 0, 8), right = part(all, 8, 16);
  loader_.streams = {data_.stream("left", left), data_.stream("right", right)};
  loader_.streams[0].repeat = 2;
  loader_.streams[1].samples = 3;
  const SampleBatches repeated = open(of_size(19));
  ASSERT_EQ(repeated.epoch_samples(), 19);
  Samples expected = left;
  expected.insert(expected.end(), left.begin(), left.end());
  expected.insert(expected.end(), right.begin(), right.begin() + 3);
  EXPECT_EQ(texts_of(repeated.read(0)), expected);
  loader_.streams[0].repeat.reset();
  loader_.streams[1].samples.reset();
  loader_.streams[0].proportion = 0.75;
  loader_.streams[1].proportion = 0.25;
  loader_.samples_per_epoch = 8;
  const SampleBatches shared = open(of_size(8));
  expected = part(left, 0, 6);
  expected.insert(expected.end(), right.begin(), right.begin() + 2);
  EXPECT_EQ(texts_of(shared.read(0)), expected);
}

// Ends the program where a thread waits for ever.
class BatchPrefetchTest : public SampleBatchesTest {
 protected:
  void SetUp() override { alarm(30); }
  void TearDown() override { alarm(0); }
};

TEST_F(BatchPrefetchTest, TheSameBatchesFromAnyStart) {
  const SampleBatches batches = open(of_size(4, false), true);
  constexpr int64_t kEnd = 8;  // into the third epoch
  for (int64_t first = 0; first < kEnd; ++first) {
    BatchPrefetch prefetch(batches, first, kEnd);
    EXPECT_EQ(prefetch.waited_seconds(), 0);
    for (int64_t number = first; number < kEnd; ++number) {
      expect_equal(prefetch.next(), batches.read(number));
      EXPECT_GE(prefetch.waited_seconds(), 0);
    }
  }
}

// Opened data are checked once: what a shard holds is changed behind its reader's back.
TEST_F(BatchPrefetchTest, WhatReadingThrewReachesTheCaller) {
  const SampleBatches batches = open(of_size(2));
  const std::string shard = data_.path("data") + "/shard.00000.tokens";
  {
    std::fstream file(shard, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-2, std::ios::end);
    file.write("\xff\xff", 2);  // the tenth sample's [SEP], now of no vocabulary
    ASSERT_TRUE(file.good());
  }
  BatchPrefetch prefetch(batches, 2, 9);
  EXPECT_EQ(texts_of(prefetch.next()), part(samples_, 4, 6));
  // The reader is at the damage before the good batches are asked for, or soon after.
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(texts_of(prefetch.next()), part(samples_, 6, 8));
  for (int again = 0; again < 2; ++again) {
    const std::string line = refusal([&] { prefetch.next(); });
    EXPECT_NE(line.find("shard.00000.tokens: has a token 65535 outside"), line.npos) << line;
  }
}

TEST_F(BatchPrefetchTest, EndsWhileItsReaderWaits) {
  const SampleBatches batches = open(of_size(2));
  {
    const BatchPrefetch untouched(batches, 0, 1000000);
  }
  {
    const BatchPrefetch empty(batches, 3, 3);
  }
  std::optional<BatchPrefetch> prefetch;
  prefetch.emplace(batches, 0, 1000000);
  prefetch->next();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));  // as many as it keeps are ready
  prefetch.reset();
}

}  // namespace
}  // namespace m2::train
