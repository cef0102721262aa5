// data: shards of tokenised samples, weighted streams, order, masking and batches for training.
// Uses documents, checkpoint, tokenizer and core.
//
// A dataset is a folder of samples by number. Two kinds are read (docs/data.md): the token shards
// that `m2 data build` writes, and upstream's MDS shards, whose texts are tokenised when read.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tokenizer/tokenizer.h"

namespace m2 {

// What the ids of a dataset mean.
struct Vocabulary {
  int64_t size = 0;
  // FNV-1a (64 bits) over the tokens' texts by id, a newline after each: equal for a vocab.txt and
  // a tokenizer.json of the same tokens.
  uint64_t hash = 0;
  SpecialTokenIds special;
};

Vocabulary vocabulary_of(const Tokenizer& tokenizer);

class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual uint64_t samples() const = 0;
  // Replaces `ids` by those of sample `index` < samples(): [CLS] … [SEP], at most the length that
  // the dataset was opened for. From any thread. Error(kInput) that names the shard when its bytes
  // are damaged.
  virtual void read(uint64_t index, std::vector<int32_t>& ids) const = 0;
  virtual const Vocabulary& vocabulary() const = 0;
  // Differs where other samples were written, as far as the tables beside them tell.
  virtual uint64_t fingerprint() const = 0;
};

struct DatasetOptions {
  int64_t length = 0;  // most tokens of a sample, special ones included
  // Tokenises MDS texts; token shards are checked against its vocabulary and need none.
  const Tokenizer* tokenizer = nullptr;
};

// Opens the dataset in `folder` (a split's: DIR/train) by its index.json. Error(kInput) in one line
// that says what to do: no dataset, an unfinished or damaged one, samples longer than the length,
// another vocabulary, MDS shards without a tokenizer.
std::unique_ptr<Dataset> open_dataset(const std::string& folder, const DatasetOptions& options);

}  // namespace m2
