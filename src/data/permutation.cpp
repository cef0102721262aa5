#include "data/permutation.h"

#include <algorithm>
#include <bit>

#include "core/error.h"
#include "data/counter_random.h"

namespace m2 {

namespace {

// With fewer, eight rounds favour some orders of a handful of places.
constexpr int kFewestHalfBits = 5;

}  // namespace

Permutation::Permutation(uint64_t size, uint64_t key) : size_(size) {
  M2_CHECK(size >= 1 && size <= uint64_t{1} << 62);
  half_bits_ = std::max(kFewestHalfBits, static_cast<int>(std::bit_width(size - 1) + 1) / 2);
  for (uint64_t& round_key : round_keys_) round_key = key = mix_bits(key);
}

uint64_t Permutation::encrypt(uint64_t value) const {
  const uint64_t mask = (uint64_t{1} << half_bits_) - 1;
  uint64_t left = value >> half_bits_, right = value & mask;
  for (const uint64_t round_key : round_keys_) {
    const uint64_t next = left ^ (mix_bits(right ^ round_key) & mask);
    left = right;
    right = next;
  }
  return left << half_bits_ | right;
}

uint64_t Permutation::operator()(uint64_t place) const {
  // The cycle through a place below the size comes back to it, so the walk ends.
  do place = encrypt(place);
  while (place >= size_);
  return place;
}

}  // namespace m2
