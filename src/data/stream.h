// Weighted streams of samples, and which sample stands at which place of an epoch.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace m2 {

// How much of a dataset an epoch takes, as in MosaicML streaming's Stream: at most one of the
// three; none is repeat = 1. Where one stream states a proportion all must.
struct StreamWeight {
  std::optional<double> proportion;  // share of the epoch, relative to the other streams'
  std::optional<double> repeat;      // an epoch takes ⌊repeat · samples⌋
  std::optional<int64_t> samples;    // an epoch takes so many, more or fewer than there are
};

struct StreamOptions {
  std::string local;  // folder
  std::string split;  // folder in it; may be empty
  StreamWeight weight;
};

// Samples that an epoch takes of each stream, of `available` samples each. With proportions the
// epoch has `epoch_samples`, or as many as there are in all where that is 0, shared out by largest
// remainder. Error(kUsage) where weights are no positive numbers, mixed, or leave an epoch empty,
// and for `epoch_samples` without proportions.
std::vector<uint64_t> samples_per_epoch(std::span<const StreamWeight> weights,
                                        std::span<const uint64_t> available,
                                        uint64_t epoch_samples = 0);

// One sample as it comes up in training.
struct Draw {
  size_t stream = 0;
  uint64_t sample = 0;  // in the stream's dataset
  uint64_t visit = 0;   // how often training has met this sample before
  bool operator==(const Draw&) const = default;
};

// The order of samples under a seed. Any place of any epoch is computed by itself: nothing is
// replayed, and nothing depends on batch size or threads.
//
// An epoch is a permutation of its draws. A stream goes on through its dataset from epoch to epoch,
// each round in a new order: after any number of epochs the visits of its samples differ by one at
// most.
class SampleOrder {
 public:
  // `taken[s]` of `available[s]` samples an epoch. Without `shuffle` the streams follow each other,
  // each in its dataset's order.
  SampleOrder(std::vector<uint64_t> taken, std::vector<uint64_t> available, uint64_t seed,
              bool shuffle);
  uint64_t epoch_samples() const { return ends_.back(); }
  // `place` < epoch_samples().
  Draw at(uint64_t epoch, uint64_t place) const;

 private:
  std::vector<uint64_t> available_;
  std::vector<uint64_t> ends_;  // of each stream's draws in an epoch
  uint64_t seed_;
  bool shuffle_;
};

// Several streams, opened.
class StreamSet {
 public:
  // Errors as open_dataset's and samples_per_epoch's; all datasets have one vocabulary.
  StreamSet(const std::vector<StreamOptions>& streams, const DatasetOptions& options, uint64_t seed,
            bool shuffle, uint64_t epoch_samples = 0);
  std::span<const std::unique_ptr<Dataset>> datasets() const { return datasets_; }
  const SampleOrder& order() const { return *order_; }
  const Vocabulary& vocabulary() const { return datasets_.front()->vocabulary(); }
  // The ids of a draw, and its number among the samples of all streams.
  void read(const Draw& draw, std::vector<int32_t>& ids) const;
  uint64_t number_of(const Draw& draw) const { return starts_[draw.stream] + draw.sample; }

 private:
  std::vector<std::unique_ptr<Dataset>> datasets_;
  std::vector<uint64_t> starts_;  // number of each stream's first sample
  std::unique_ptr<SampleOrder> order_;
};

}  // namespace m2
