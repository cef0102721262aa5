// A shuffle that is computed place by place, never stored.
#pragma once

#include <array>
#include <cstdint>

namespace m2 {

// A pseudo-random bijection of [0, size), chosen by `key`: a Feistel network over the next power
// of four, at least 1024, walked on until the value lies below `size` (J. Black and P. Rogaway,
// "Ciphers with Arbitrary Finite Domains", 2002). From 257 on a place costs four walks at most on
// average.
class Permutation {
 public:
  // 1 <= size <= 2^62.
  Permutation(uint64_t size, uint64_t key);
  uint64_t size() const { return size_; }
  // Where `place` < size() goes.
  uint64_t operator()(uint64_t place) const;

 private:
  static constexpr int kRounds = 8;
  uint64_t encrypt(uint64_t value) const;

  uint64_t size_;
  int half_bits_;
  std::array<uint64_t, kRounds> round_keys_;
};

}  // namespace m2
