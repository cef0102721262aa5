#include "data/batch.h"

#include "data/data_files.h"

namespace m2 {
namespace {

using testing::ElementsAre;

class BatchTest : public testing::Test {
 protected:
  BatchTest() : vocabulary_(vocabulary_of(word_tokenizer(folder_))) {
    std::vector<std::vector<int32_t>> samples;
    for (int32_t i = 0; i < 40; ++i) {
      std::vector<int32_t> sample = {kCls};
      for (int32_t word = 0; word <= i; ++word) sample.push_back(kFirstWord + (i + word) % 200);
      sample.push_back(kSep);
      samples.push_back(sample);
    }
    write_dataset(folder_, "data", samples, 64, vocabulary_);
    streams_ = std::make_unique<StreamSet>(
        std::vector<StreamOptions>{{folder_.path("data"), "", {{}, 2.0, {}}}},
        DatasetOptions{64, nullptr}, 11, true);
  }

  Masking masking() const {
    MaskingOptions options;
    options.vocabulary_size = vocabulary_.size;
    options.special = vocabulary_.special;
    options.seed = 3;
    return Masking(options);
  }

  Batch read(uint64_t epoch, uint64_t first, uint64_t count, int64_t length) const {
    return read_batch(*streams_, masking(), draws_of(streams_->order(), epoch, first, count),
                      length);
  }

  TestFolder folder_;
  Vocabulary vocabulary_;
  std::unique_ptr<StreamSet> streams_;
};

std::vector<int64_t> row(const std::vector<int64_t>& matrix, const Batch& batch, int64_t index,
                         int64_t count) {
  const auto begin = matrix.begin() + index * batch.length;
  return {begin, begin + count};
}

TEST_F(BatchTest, HasRowsOfOneLength) {
  const Batch batch = read(0, 5, 12, 0);
  EXPECT_EQ(batch.rows, 12);
  EXPECT_EQ(batch.length, *std::max_element(batch.lengths.begin(), batch.lengths.end()));
  ASSERT_EQ(batch.ids.size(), static_cast<size_t>(batch.rows * batch.length));
  int64_t tokens = 0, labelled = 0;
  for (int64_t i = 0; i < batch.rows; ++i) {
    const int64_t length = batch.lengths[static_cast<size_t>(i)];
    tokens += length;
    EXPECT_EQ(row(batch.ids, batch, i, 1).front(), kCls);
    for (int64_t at = 0; at < batch.length; ++at) {
      const size_t cell = static_cast<size_t>(i * batch.length + at);
      EXPECT_EQ(batch.attention_mask[cell], at < length ? 1 : 0);
      if (at == length - 1) {
        EXPECT_EQ(batch.ids[cell], kSep);
      }
      if (at >= length) {
        EXPECT_EQ(batch.ids[cell], kPad);
        EXPECT_EQ(batch.labels[cell], kNoLabel);
      }
      labelled += batch.labels[cell] != kNoLabel ? 1 : 0;
    }
  }
  EXPECT_EQ(batch.tokens, tokens);
  EXPECT_EQ(batch.labelled, labelled);
  EXPECT_GT(labelled, 0);
}

TEST_F(BatchTest, PadsToTheLengthThatIsAskedFor) {
  const Batch short_one = read(1, 0, 6, 0), full = read(1, 0, 6, 64);
  EXPECT_EQ(full.length, 64);
  for (int64_t i = 0; i < 6; ++i) {
    const int64_t length = full.lengths[static_cast<size_t>(i)];
    EXPECT_EQ(row(full.ids, full, i, length), row(short_one.ids, short_one, i, length));
    EXPECT_EQ(row(full.labels, full, i, length), row(short_one.labels, short_one, i, length));
  }
  EXPECT_EQ(full.labelled, short_one.labelled);
  EXPECT_THROW(read(0, 0, 80, 20), Error);
}

// One batch of 60, or 4 of 15: the same rows.
TEST_F(BatchTest, RowsDoNotDependOnTheBatch) {
  const Batch whole = read(2, 0, 60, 64);
  std::vector<int64_t> ids, labels;
  for (uint64_t first = 0; first < 60; first += 15) {
    const Batch part = read(2, first, 15, 64);
    ids.insert(ids.end(), part.ids.begin(), part.ids.end());
    labels.insert(labels.end(), part.labels.begin(), part.labels.end());
  }
  EXPECT_EQ(ids, whole.ids);
  EXPECT_EQ(labels, whole.labels);
}

TEST_F(BatchTest, ASampleIsMaskedAnewAtEachVisit) {
  const auto draws = draws_of(streams_->order(), 0, 0, streams_->order().epoch_samples());
  const Draw longest{0, 39, 0}, again{0, 39, 1};
  EXPECT_EQ(std::count(draws.begin(), draws.end(), longest), 1);
  EXPECT_EQ(std::count(draws.begin(), draws.end(), again), 1);
  const Batch batch = read_batch(*streams_, masking(), std::vector<Draw>{longest, again}, 0);
  EXPECT_NE(row(batch.labels, batch, 0, 42), row(batch.labels, batch, 1, 42));
}

}  // namespace
}  // namespace m2
