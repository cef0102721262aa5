// Lengths of training as configurations state them: samples, batches, tokens, epochs, a share.
#pragma once

#include <cstdint>
#include <string>

namespace m2 {

enum class TimeUnit : uint8_t {
  kSamples,  // "286720000sp"
  kBatches,  // "2000ba": optimiser steps
  kTokens,   // "12000000tok"
  kEpochs,   // "3ep"
  kShare     // "0.06dur": of the whole training
};

struct Duration {
  TimeUnit unit = TimeUnit::kBatches;
  int64_t count = 0;  // of samples, batches, tokens, epochs
  double share = 0;   // kShare alone, 0 to 1

  bool operator==(const Duration&) const = default;
};

// What a duration is measured with.
struct RunSize {
  int64_t batch_samples = 0;  // of an optimiser step; the last of an epoch may have fewer
  int64_t epoch_samples = 0;  // that the steps of an epoch take
  double sample_tokens = 0;   // as the model computes them; a mean where it varies
  int64_t total_batches = 0;  // of the training, for kShare; 0 while that is not known yet
};

// `text` as a duration; `what` begins the line of Error(kInput): "FILE: max_duration".
Duration parse_duration(const std::string& text, const std::string& what);

// The spelling that parse_duration reads back: "2000ba", "0.06dur".
std::string duration_spelling(const Duration& duration);

// The optimiser steps it takes, rounded up: 286,720,000 samples in batches of 4,096 are 70,000
// where no epoch ends within a batch. Throws Error(kInput) where that is beyond 2^53.
int64_t duration_batches(const Duration& duration, const RunSize& size);

}  // namespace m2
