// Masked language modelling: which tokens a model is asked for, and what stands in their place.
#pragma once

#include <cstdint>
#include <span>

#include "data/dataset.h"

namespace m2 {

// Label of a position that is not asked for.
inline constexpr int64_t kNoLabel = -100;

// BERT's rule (J. Devlin et al., 2018, §3.1). A token is chosen with `probability`; a chosen one
// becomes [MASK], a token drawn uniformly from [0, vocabulary_size), or stays, in the stated
// shares; the shares of the first two add up to at most 1. [CLS], [SEP], [PAD], [UNK] and [MASK]
// are never chosen.
struct MaskingOptions {
  double probability = 0.30;
  double mask_share = 0.8;
  double random_share = 0.1;
  int64_t vocabulary_size = 0;
  SpecialTokenIds special;
  uint64_t seed = 0;
};

class Masking {
 public:
  // Error(kUsage) when a probability or share is out of range, the vocabulary is empty or has no
  // mask token.
  explicit Masking(const MaskingOptions& options);

  // Replaces chosen ids in place and sets every label: the id that was there, or kNoLabel. The
  // result depends on the seed, the two numbers, the ids and their positions alone; the numbers
  // come from Philox4x32-10. Returns how many were chosen. ids.size() == labels.size() < 2^32.
  int64_t mask(uint64_t sample, uint64_t visit, std::span<int64_t> ids,
               std::span<int64_t> labels) const;

 private:
  bool is_special(int64_t id) const;

  MaskingOptions options_;
  uint64_t chosen_below_, mask_below_, random_below_;  // thresholds for 32 random bits
};

}  // namespace m2
