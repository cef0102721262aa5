#include "serve/api_keys.h"

#include <sstream>

#include "core/error.h"
#include "core/mapped_file.h"
#include "core/text.h"

namespace m2 {
namespace {

constexpr size_t kMaxKeyFileBytes = size_t{1} << 20;
constexpr std::string_view kScheme = "bearer ";

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// Goes through all of `given` whatever it finds.
bool equal(std::string_view given, std::string_view key) {
  unsigned different = given.size() == key.size() ? 0 : 1;
  for (size_t i = 0; i < given.size(); ++i) {
    const char expected = key.empty() ? '\0' : key[i % key.size()];
    different |= static_cast<unsigned>(static_cast<unsigned char>(given[i] ^ expected));
  }
  return different == 0;
}

}  // namespace

bool ApiKeys::accept(std::string_view authorization) const {
  if (!required()) return true;
  if (authorization.size() < kScheme.size()) return false;
  for (size_t i = 0; i < kScheme.size(); ++i) {
    if (lower(authorization[i]) != kScheme[i]) return false;
  }
  std::string_view given = authorization.substr(kScheme.size());
  while (given.starts_with(' ')) given.remove_prefix(1);
  bool found = false;
  for (const std::string& key : keys_) {
    const bool same = equal(given, key);
    found = found || same;
  }
  return found;
}

std::vector<std::string> read_api_keys(const std::string& path) {
  std::istringstream lines(read_text_file(path, kMaxKeyFileBytes));
  std::vector<std::string> keys;
  for (std::string line; std::getline(lines, line);) {
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
    if (!line.empty() && line.front() != '#') keys.push_back(line);
  }
  if (keys.empty()) throw input_error(concat(path, ": holds no key; write one a line"));
  return keys;
}

}  // namespace m2
