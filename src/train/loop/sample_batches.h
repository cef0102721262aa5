// Which samples are in which batch: computed from the step, never replayed.
#pragma once

#include <cstdint>
#include <vector>

#include "data/batch.h"
#include "data/masking.h"
#include "data/stream.h"
#include "tokenizer/tokenizer.h"
#include "train/checkpoints/run_state.h"
#include "train/config/train_config.h"

namespace m2::train {

struct BatchOptions {
  int64_t samples = 0;  // of a batch
  bool drop_last = true;
  int64_t max_seq_len = 0;
  // Every batch is padded to max_seq_len, else to its longest row.
  bool full_length = false;
  uint64_t seed = 0;  // of masks, and of the order where the loader states none
};

// Reads from any thread.
class SampleBatches {
 public:
  // Errors as StreamSet's and Masking's; Error(kInput) where the data do not fill one batch.
  SampleBatches(const LoaderConfig& loader, const BatchOptions& options,
                const Tokenizer& tokenizer);

  int64_t epoch_batches() const { return epoch_batches_; }
  int64_t epoch_samples() const;
  // Of these, those in a batch: without the rest that drop_last drops.
  int64_t batched_samples() const;
  // Of each stream.
  std::vector<DataIdentity> data() const;
  const Vocabulary& vocabulary() const { return streams_.vocabulary(); }
  // Tokens of a sample as the model computes them: max_seq_len where batches are padded to it, else
  // a mean over the first few hundred samples of the order.
  double sample_tokens() const;
  // Batch `number` from the beginning of the training; epochs follow each other.
  m2::Batch read(int64_t number) const;
  // The samples [first, first + count) of an epoch.
  m2::Batch read_samples(int64_t epoch, int64_t first, int64_t count) const;

 private:
  BatchOptions options_;
  StreamSet streams_;
  Masking masking_;
  int64_t epoch_batches_ = 0;
};

}  // namespace m2::train
