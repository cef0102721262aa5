#include "train/config/section.h"

#include "core/error.h"
#include "core/text.h"

namespace m2 {
namespace {

const Value& empty_map() {
  static const Value map = [] {
    Value value;
    value.kind = Value::Kind::kMap;
    return value;
  }();
  return map;
}

std::string line_of(const Value& value) {
  return value.line > 0 ? concat("line ", value.line, ": ") : "";
}

const Value& map_or_empty(const Value* found, const std::string& source, const std::string& path) {
  if (found == nullptr || found->kind == Value::Kind::kNull) return empty_map();
  if (found->kind == Value::Kind::kMap) return *found;
  throw input_error(concat(source, ": ", line_of(*found), path.empty() ? "the file" : path, " is ",
                           found->describe(), ", must be a map of keys"));
}

}  // namespace

Section::Section(const Value* found, const std::string& source, const std::string& path)
    : map_(map_or_empty(found, source, path)),
      fields_(map_, source, path.empty() ? "" : path + "."),
      source_(source),
      path_(path) {}

Section Section::section(const std::string& key) const {
  return {map_.find(key), source_, name(key)};
}

std::string Section::name(const std::string& key) const {
  return path_.empty() ? key : concat(path_, ".", key);
}

std::string Section::text(const std::string& key, const std::string& fallback) {
  return fields_.text(key, fallback);
}

int64_t Section::integer(const std::string& key, int64_t fallback, int64_t low, int64_t high) {
  const int64_t value = fields_.integer(key, fallback);
  if (has(key) && (value < low || value > high)) {
    refuse(key, concat("is ", value, ", must be from ", low, " to ", high));
  }
  return value;
}

double Section::number(const std::string& key, double fallback, double low, double high) {
  const double value = fields_.number(key, fallback);
  if (has(key) && !(value >= low && value <= high)) {
    refuse(key, concat("is ", value, ", must be from ", low, " to ", high));
  }
  return value;
}

double Section::positive(const std::string& key, double fallback, double high) {
  const double value = number(key, fallback, 0, high);
  if (has(key) && value == 0) refuse(key, "is 0, must be above 0");
  return value;
}

Duration Section::duration(const std::string& key, const Duration& fallback) {
  if (!has(key)) return fallback;
  const Value& found = *fields_.value(key);
  // A bare number goes to the parser, whose message says what is missing: the unit.
  const bool is_number = found.kind == Value::Kind::kInteger || found.kind == Value::Kind::kReal;
  const std::string stated = is_number ? found.describe() : text(key, "");
  return parse_duration(stated, concat(source_, ": ", line_of(found), name(key)));
}

Duration Section::interval(const std::string& key, const Duration& fallback) {
  const Duration found = duration(key, fallback);
  if (found.count == 0 && found.share == 0) refuse(key, "must be longer than 0");
  return found;
}

void Section::only(const std::string& key, const std::string& value) {
  const std::string stated = text(key, value);
  if (stated != value) {
    refuse(key, concat("is \"", printable(stated), "\", must be ", value));
  }
}

void Section::refuse_choice(const std::string& key, const std::string& stated,
                            const std::vector<std::string>& names) const {
  refuse(key, concat("is \"", printable(stated), "\", must be one of ", join(names, ", ")));
}

}  // namespace m2
