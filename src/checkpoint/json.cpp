#include "checkpoint/json.h"

#include <set>
#include <vector>

#include "core/error.h"
#include "core/mapped_file.h"
#include "core/text.h"

namespace m2 {
namespace {

using Json = nlohmann::json;

// Watches the parser's events: the library itself has no depth limit and keeps the last of two
// equal keys.
class StrictCallback {
 public:
  StrictCallback(const std::string& where, const JsonLimits& limits)
      : where_(where), limits_(limits) {}

  bool operator()(int depth, Json::parse_event_t event, const Json& parsed) {
    switch (event) {
      case Json::parse_event_t::object_start:
      case Json::parse_event_t::array_start:
        if (static_cast<size_t>(depth) >= limits_.depth) {
          throw input_error(concat(where_, ": nested deeper than ", limits_.depth, " levels"));
        }
        count_value();
        keys_.emplace_back();
        break;
      case Json::parse_event_t::object_end:
      case Json::parse_event_t::array_end:
        keys_.pop_back();
        break;
      case Json::parse_event_t::key:
        add_key(parsed.get_ref<const std::string&>());
        break;
      case Json::parse_event_t::value:
        count_value();
        break;
    }
    return true;
  }

 private:
  void count_value() {
    if (++values_ > limits_.values) {
      throw input_error(concat(where_, ": holds more than ", limits_.values, " values"));
    }
  }

  void add_key(const std::string& key) {
    if (!keys_.back().insert(key).second) {
      throw input_error(concat(where_, ": the key \"", printable(key), "\" is there twice"));
    }
  }

  const std::string& where_;
  const JsonLimits limits_;
  size_t values_ = 0;
  std::vector<std::set<std::string>> keys_;
};

}  // namespace

std::string json_file_name(std::string_view name) {
  std::string out;
  while (!name.empty()) {
    char32_t ignored = 0;
    const int length = decode_utf8(name, ignored);
    const std::string_view taken = name.substr(0, length > 0 ? static_cast<size_t>(length) : 1);
    if (length == 0) {
      out += printable(taken);
    } else {
      out += taken == "\\" ? "\\\\" : taken;
    }
    name.remove_prefix(taken.size());
  }
  return out;
}

std::string json_problem(const Json::exception& error) {
  std::string_view text = error.what();
  if (const size_t tag = text.find("] "); text.starts_with('[') && tag != text.npos) {
    text.remove_prefix(tag + 2);
  }
  return printable(text, 200);
}

Json parse_json(std::string_view text, const std::string& where, const JsonLimits& limits) {
  // The parser takes a zero byte for the end of the text.
  if (text.find('\0') != text.npos) {
    throw input_error(concat(where, ": is no valid JSON: it holds a zero byte"));
  }
  try {
    StrictCallback strict(where, limits);
    return Json::parse(text, [&strict](int depth, Json::parse_event_t event, Json& parsed) {
      return strict(depth, event, parsed);
    });
  } catch (const Json::exception& error) {
    throw input_error(concat(where, ": is no valid JSON: ", json_problem(error)));
  }
}

Json read_json_object(const std::string& path) {
  Json value = parse_json(read_text_file(path, kMaxJsonBytes), path);
  if (!value.is_object()) {
    throw input_error(concat(path, ": must hold a JSON object, holds ", value.type_name()));
  }
  return value;
}

}  // namespace m2
