// A dropout mask computed from counters: no state, so the same whoever computes which part of it.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

namespace m2 {

// out[r][i] = 1/(1 − probability) where the hash of (key, first_row + r, i) is at least
// probability·2^32, else 0. The hash: a row's 64 bits are splitmix64's output for key and row; an
// element's 32 are its index under both halves of them, mixed by murmur3's finaliser after each.
struct CounterMask {
  uint64_t key = 0;
  uint64_t first_row = 0;
  size_t rows = 0;
  size_t width = 0;        // below 2^32
  double probability = 0;  // in [0, 1), of dropping
  float* out = nullptr;    // [rows][width]

  uint64_t row_bits(size_t row) const {
    uint64_t x = key + (first_row + row + 1) * 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
  }
  uint32_t threshold() const { return static_cast<uint32_t>(std::lround(probability * 0x1p32)); }
  float kept() const { return static_cast<float>(1 / (1 - probability)); }
};

void counter_mask(const CounterMask& request);

namespace reference {
void counter_mask(const CounterMask& request);
}  // namespace reference
}  // namespace m2
