#include "data/masking.h"

#include <cmath>

#include "core/error.h"
#include "core/text.h"
#include "data/counter_random.h"

namespace m2 {
namespace {

void check_share(double value, const char* name) {
  if (value >= 0 && value <= 1) return;  // no NaN either
  throw usage_error(concat(name, " is ", value, "; it lies between 0 and 1"));
}

// A number of 32 random bits is below it with this probability, to 2^-33.
uint64_t threshold(double probability) {
  return static_cast<uint64_t>(std::llround(probability * 0x1p32));
}

uint32_t low(uint64_t value) {
  return static_cast<uint32_t>(value);
}
uint32_t high(uint64_t value) {
  return static_cast<uint32_t>(value >> 32);
}

}  // namespace

Masking::Masking(const MaskingOptions& options) : options_(options) {
  check_share(options.probability, "the masking probability");
  check_share(options.mask_share, "the share of [MASK]");
  check_share(options.random_share, "the share of random tokens");
  check_share(options.mask_share + options.random_share, "the share of replaced tokens");
  if (options.vocabulary_size < 1 || options.vocabulary_size > INT32_MAX) {
    throw usage_error(concat("a vocabulary of ", options.vocabulary_size, " tokens has none"));
  }
  if (options.special.mask < 0 || options.special.mask >= options.vocabulary_size) {
    throw usage_error("the vocabulary has no mask token, which masked language modelling needs");
  }
  chosen_below_ = threshold(options.probability);
  mask_below_ = threshold(options.mask_share);
  random_below_ = threshold(options.mask_share + options.random_share);
}

bool Masking::is_special(int64_t id) const {
  const SpecialTokenIds& special = options_.special;
  return id == special.cls || id == special.sep || id == special.pad || id == special.unk ||
         id == special.mask;
}

int64_t Masking::mask(uint64_t sample, uint64_t visit, std::span<int64_t> ids,
                      std::span<int64_t> labels) const {
  M2_CHECK(ids.size() == labels.size() && ids.size() <= UINT32_MAX);
  // A sample is met fewer than 2^32 times; what is left of its counter is the position.
  const std::array<uint32_t, 2> key = {low(options_.seed), high(options_.seed)};
  int64_t chosen = 0;
  for (size_t i = 0; i < ids.size(); ++i) {
    labels[i] = kNoLabel;
    if (is_special(ids[i])) continue;
    const std::array<uint32_t, 4> random =
        philox({static_cast<uint32_t>(i), low(visit), low(sample), high(sample)}, key);
    if (random[0] >= chosen_below_) continue;
    labels[i] = ids[i];
    ++chosen;
    if (random[1] < mask_below_) {
      ids[i] = options_.special.mask;
    } else if (random[1] < random_below_) {
      const uint64_t size = static_cast<uint64_t>(options_.vocabulary_size);
      ids[i] = static_cast<int64_t>(random[2] * size >> 32);
    }
  }
  return chosen;
}

}  // namespace m2
