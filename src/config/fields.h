#pragma once

#include <set>
#include <string>
#include <vector>

#include "config/value.h"

namespace m2 {

// Typed access to a map's members. A key that is absent or null has the default. Wrong types throw
// Error(kInput) naming source, line where it is known, key and what was found.
class Fields {
 public:
  // `map` must outlive this; throws where it is no map. Errors write `prefix` before each key:
  // "optimizer.".
  Fields(const Value& map, std::string source, std::string prefix = "");

  bool has(const std::string& key) const { return lookup(key) != nullptr; }
  bool flag(const std::string& key, bool fallback);
  int64_t integer(const std::string& key, int64_t fallback);
  double number(const std::string& key, double fallback);
  std::string text(const std::string& key, const std::string& fallback);
  // The member itself, whatever it holds, or nullptr.
  const Value* value(const std::string& key);
  // Throws where the key is absent; `why` ends the sentence.
  void require(const std::string& key, const std::string& why) const;
  // Keys of the map that no call above has asked for, in the file's order.
  std::vector<std::string> unread() const;

  [[noreturn]] void refuse(const std::string& key, const std::string& why) const;

 private:
  const Value* lookup(const std::string& key) const;
  [[noreturn]] void wrong_type(const std::string& key, const char* wanted,
                               const Value& found) const;

  const Value& map_;
  std::string source_, prefix_;
  std::set<std::string> read_;
};

}  // namespace m2
