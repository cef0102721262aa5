// JSON files from outside, read with limits.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

namespace m2 {

// The object that the file holds. Error(kInput) that names the file when it is missing, larger
// than `limit`, no JSON, nested deeper than kMaxJsonDepth, no object, or gives a key twice.
nlohmann::json read_json_object(const std::string& path, size_t limit);

inline constexpr int kMaxJsonDepth = 64;

// A value inside a file, which knows its file and place for messages.
class JsonValue {
 public:
  JsonValue(const nlohmann::json& value, std::string path, std::string place = "")
      : value_(&value), path_(std::move(path)), place_(std::move(place)) {}

  const nlohmann::json& json() const { return *value_; }
  bool is_null() const { return value_->is_null(); }
  bool has(const std::string& key) const { return value_->is_object() && value_->contains(key); }
  // A member that is there and not null.
  bool sets(const std::string& key) const { return has(key) && !(*value_)[key].is_null(); }

  // Each throws Error(kInput) when the value is missing or of another type.
  JsonValue at(const std::string& key) const;
  JsonValue at(size_t index) const;
  size_t size() const;  // of an array
  bool boolean() const;
  int32_t id() const;  // 0 … 2^31 - 1
  const std::string& string() const;

  // "PATH: PLACE WHY".
  [[noreturn]] void refuse(const std::string& why) const;

 private:
  const nlohmann::json* value_;
  std::string path_;
  std::string place_;
};

}  // namespace m2
