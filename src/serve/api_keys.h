// The keys that a request may bring.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace m2 {

class ApiKeys {
 public:
  explicit ApiKeys(std::vector<std::string> keys) : keys_(std::move(keys)) {}
  bool required() const { return !keys_.empty(); }
  // Whether an Authorization header, "Bearer KEY", brings one of them. The time it takes depends on
  // the lengths alone.
  bool accept(std::string_view authorization) const;

 private:
  std::vector<std::string> keys_;
};

// A key a line; blank lines and those that begin with # are none. Error(kInput) where the file
// cannot be read or has none.
std::vector<std::string> read_api_keys(const std::string& path);

}  // namespace m2
