#include "config/yaml_reader.h"

#include <yaml-cpp/yaml.h>

#include <charconv>
#include <cmath>
#include <unordered_set>

#include "config/interpolation.h"
#include "core/error.h"
#include "core/text.h"

namespace m2 {
namespace {

constexpr int kMaxNodes = 20000;

// The whole of `text` as a number, or false.
template <class Number>
bool read_number(std::string_view text, Number& number) {
  if (text.starts_with('+')) text.remove_prefix(1);
  const char* begin = text.data();
  const char* end = begin + text.size();
  const auto [stop, error] = std::from_chars(begin, end, number);
  return error == std::errc() && stop == end && !text.empty();
}

bool is_one_of(const std::string& text, std::initializer_list<const char*> words) {
  for (const char* word : words) {
    if (text == word) return true;
  }
  return false;
}

Value plain_scalar(const std::string& text) {
  if (is_one_of(text, {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"})) {
    return Value::of_bool(true);
  }
  if (is_one_of(text, {"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"})) {
    return Value::of_bool(false);
  }
  int64_t integer = 0;
  if (read_number(text, integer)) return Value::of_integer(integer);
  double real = 0;
  // from_chars would take "inf" and "nan", which are words here.
  if (read_number(text, real) && std::isfinite(real)) return Value::of_real(real);
  return Value::of_text(text);
}

class Converter {
 public:
  explicit Converter(const std::string& source) : source_(source) {}

  Value convert(const YAML::Node& node, int depth) {
    if (depth > kMaxConfigDepth) refuse(concat("nested deeper than ", kMaxConfigDepth));
    if (++nodes_ > kMaxNodes) refuse(concat("unfolds to more than ", kMaxNodes, " values"));
    if (node.IsMap()) return map(node, depth);
    if (node.IsSequence()) return list(node, depth);
    if (!node.IsScalar()) return {};
    const bool plain = node.Tag() != "!" && node.Tag() != "tag:yaml.org,2002:str";
    return plain ? plain_scalar(node.Scalar()) : Value::of_text(node.Scalar());
  }

 private:
  Value list(const YAML::Node& node, int depth) {
    Value result;
    result.kind = Value::Kind::kList;
    for (const YAML::Node& item : node) result.items.push_back(convert(item, depth + 1));
    return result;
  }

  // yaml-cpp keeps both of two equal keys and finds the first: seen here.
  Value map(const YAML::Node& node, int depth) {
    Value result;
    result.kind = Value::Kind::kMap;
    std::unordered_set<std::string> keys;
    for (const auto& member : node) {
      const std::string key = member.first.IsScalar() ? member.first.Scalar() : "";
      if (key.empty()) refuse("has a key that is no text");
      if (key == "<<") refuse("merge keys (<<) are not supported");
      if (!keys.insert(key).second) {
        refuse(concat("line ", member.first.Mark().line + 1, ": the key \"", printable(key),
                      "\" appears twice"));
      }
      result.members.push_back({key, convert(member.second, depth + 1)});
      result.members.back().value.line = member.first.Mark().line + 1;
    }
    return result;
  }

  [[noreturn]] void refuse(const std::string& why) const {
    throw input_error(concat(source_, ": ", why));
  }

  const std::string& source_;
  int nodes_ = 0;
};

}  // namespace

Value parse_yaml(const std::string& text, const std::string& source) {
  try {
    return Converter(source).convert(YAML::Load(mark_interpolations(text)), 1);
  } catch (const YAML::Exception& error) {
    throw input_error(
        concat(source, ": not YAML: line ", error.mark.line + 1, ", ", printable(error.msg, 120)));
  }
}

}  // namespace m2
