// What a JSON or YAML file holds, free of the libraries that read it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace m2 {

struct ValueMember;

struct Value {
  enum class Kind : uint8_t { kNull, kBool, kInteger, kReal, kText, kList, kMap };

  Kind kind = Kind::kNull;
  bool boolean = false;
  int64_t integer = 0;
  double real = 0;
  std::string text;
  std::vector<Value> items;          // kList
  std::vector<ValueMember> members;  // kMap, in the file's order, keys unique
  int line = 0;                      // of its key in a YAML file, from 1; 0: not known

  static Value of_bool(bool value);
  static Value of_integer(int64_t value);
  static Value of_real(double value);
  static Value of_text(std::string value);

  // The member, or nullptr; nullptr too where this is no map.
  const Value* find(const std::string& key) const;
  // For messages: `the text "abc"`, `1.5`, `a list`.
  std::string describe() const;
};

struct ValueMember {
  std::string key;
  Value value;
};

// Limits of the readers: a config is small and flat.
inline constexpr size_t kMaxConfigBytes = size_t{1} << 20;
inline constexpr int kMaxConfigDepth = 32;

}  // namespace m2
