#include "config/fields.h"

#include "core/error.h"
#include "core/text.h"

namespace m2 {

Fields::Fields(const Value& map, std::string source, std::string prefix)
    : map_(map), source_(std::move(source)), prefix_(std::move(prefix)) {
  if (map.kind != Value::Kind::kMap) {
    throw input_error(concat(source_, ": holds ", map.describe(), ", a configuration is a map"));
  }
}

const Value* Fields::lookup(const std::string& key) const {
  const Value* found = map_.find(key);
  return found == nullptr || found->kind == Value::Kind::kNull ? nullptr : found;
}

const Value* Fields::value(const std::string& key) {
  read_.insert(key);
  return lookup(key);
}

void Fields::refuse(const std::string& key, const std::string& why) const {
  const Value* found = map_.find(key);
  const std::string line =
      found != nullptr && found->line > 0 ? concat("line ", found->line, ": ") : "";
  throw input_error(concat(source_, ": ", line, prefix_, key, " ", why));
}

void Fields::wrong_type(const std::string& key, const char* wanted, const Value& found) const {
  refuse(key, concat("is ", found.describe(), ", must be ", wanted));
}

bool Fields::flag(const std::string& key, bool fallback) {
  const Value* found = value(key);
  if (found == nullptr) return fallback;
  if (found->kind != Value::Kind::kBool) wrong_type(key, "true or false", *found);
  return found->boolean;
}

int64_t Fields::integer(const std::string& key, int64_t fallback) {
  const Value* found = value(key);
  if (found == nullptr) return fallback;
  if (found->kind != Value::Kind::kInteger) wrong_type(key, "a whole number", *found);
  return found->integer;
}

double Fields::number(const std::string& key, double fallback) {
  const Value* found = value(key);
  if (found == nullptr) return fallback;
  if (found->kind == Value::Kind::kInteger) return static_cast<double>(found->integer);
  if (found->kind != Value::Kind::kReal) wrong_type(key, "a number", *found);
  return found->real;
}

std::string Fields::text(const std::string& key, const std::string& fallback) {
  const Value* found = value(key);
  if (found == nullptr) return fallback;
  if (found->kind != Value::Kind::kText) wrong_type(key, "a text", *found);
  return found->text;
}

void Fields::require(const std::string& key, const std::string& why) const {
  if (has(key)) return;
  throw input_error(concat(source_, ": the key ", prefix_, key, " is missing; ", why));
}

std::vector<std::string> Fields::unread() const {
  std::vector<std::string> keys;
  for (const auto& [key, value] : map_.members) {
    if (!read_.contains(key)) keys.push_back(key);
  }
  return keys;
}

}  // namespace m2
