#include "serve/http/request_id.h"

#include <sys/random.h>

#include <chrono>

namespace m2 {
namespace {

constexpr size_t kMaxIdBytes = 64;

bool is_id_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.';
}

// One-to-one, so that counting states give different ids (the finalizer of splitmix64).
uint64_t scrambled(uint64_t value) {
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9u;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBu;
  return value ^ (value >> 31);
}

std::string hexadecimal(uint64_t value) {
  std::string digits(16, '0');
  for (size_t i = digits.size(); i-- > 0; value >>= 4) digits[i] = "0123456789abcdef"[value & 15];
  return digits;
}

}  // namespace

RequestIds::RequestIds() {
  if (getrandom(&state_, sizeof state_, 0) != sizeof state_) {
    state_ = static_cast<uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
  }
}

std::string RequestIds::next(std::string_view wished) {
  std::string id;
  for (const char c : wished) {
    if (id.size() < kMaxIdBytes && is_id_character(c)) id.push_back(c);
  }
  return id.empty() ? hexadecimal(scrambled(state_++)) : id;
}

}  // namespace m2
