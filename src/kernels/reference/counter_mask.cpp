#include "kernels/counter_mask.h"

namespace m2::reference {
namespace {

uint32_t finalised(uint32_t x) {
  x = (x ^ (x >> 16)) * 0x85EBCA6Bu;
  x = (x ^ (x >> 13)) * 0xC2B2AE35u;
  return x ^ (x >> 16);
}

}  // namespace

void counter_mask(const CounterMask& request) {
  for (size_t row = 0; row < request.rows; ++row) {
    const uint64_t bits = request.row_bits(row);
    for (size_t i = 0; i < request.width; ++i) {
      const uint32_t first = finalised(static_cast<uint32_t>(i) ^ static_cast<uint32_t>(bits));
      const uint32_t hash = finalised(first ^ static_cast<uint32_t>(bits >> 32));
      request.out[row * request.width + i] = hash >= request.threshold() ? request.kept() : 0.0f;
    }
  }
}

}  // namespace m2::reference
