// Random numbers and hashes that are the same on every machine: initial weights, test data.
#pragma once

#include <cstdint>
#include <string_view>

namespace m2 {

// xoshiro256** seeded by splitmix64 from (seed, stream name): a stream depends on nothing that was
// drawn elsewhere, so adding a parameter to a model changes no other parameter's numbers.
class Random {
 public:
  Random(uint64_t seed, std::string_view stream);
  uint64_t bits();
  double uniform();  // [0, 1), 53 bits
  double uniform(double low, double high);
  double normal();  // N(0, 1), Box-Muller

 private:
  uint64_t state_[4];
  double spare_ = 0;
  bool has_spare_ = false;
};

// FNV-1a, 64 bits; goes on from `hash`.
uint64_t fnv1a(std::string_view text, uint64_t hash = 0xCBF29CE484222325u);

}  // namespace m2
