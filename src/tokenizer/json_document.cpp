#include "tokenizer/json_document.h"

#include <limits>
#include <unordered_set>
#include <vector>

#include "core/error.h"
#include "core/mapped_file.h"
#include "core/text.h"

namespace m2 {
namespace {

// Called by the parser at each step. The library would keep the last of two equal keys in silence.
class Guard {
 public:
  explicit Guard(const std::string& path) : path_(path) {}

  bool operator()(int depth, nlohmann::json::parse_event_t event, const nlohmann::json& parsed) {
    using Event = nlohmann::json::parse_event_t;
    if (depth > kMaxJsonDepth) {
      throw input_error(concat(path_, ": is nested deeper than ", kMaxJsonDepth, " levels"));
    }
    if (event == Event::object_start) {
      keys_.emplace_back();
    } else if (event == Event::object_end) {
      keys_.pop_back();
    } else if (event == Event::key) {
      const std::string& key = parsed.get_ref<const std::string&>();
      if (!keys_.back().insert(key).second) {
        throw input_error(concat(path_, ": gives the key '", printable(key), "' twice"));
      }
    }
    return true;
  }

 private:
  const std::string& path_;
  std::vector<std::unordered_set<std::string>> keys_;  // of the objects that are open
};

}  // namespace

nlohmann::json read_json_object(const std::string& path, size_t limit) {
  const std::string text = read_text_file(path, limit);
  Guard guard(path);
  nlohmann::json document;
  try {
    document = nlohmann::json::parse(text, std::ref(guard));
  } catch (const nlohmann::json::parse_error& error) {
    throw input_error(concat(path, ": is no JSON from byte ", error.byte, " on"));
  } catch (const nlohmann::json::exception& error) {
    throw input_error(concat(path, ": cannot be read as JSON: ", printable(error.what(), 200)));
  }
  if (!document.is_object()) throw input_error(concat(path, ": holds no JSON object"));
  return document;
}

JsonValue JsonValue::at(const std::string& key) const {
  const std::string place = place_.empty() ? key : concat(place_, ".", key);
  if (!value_->is_object()) refuse("must be an object");
  if (!value_->contains(key)) throw input_error(concat(path_, ": lacks ", printable(place)));
  return {(*value_)[key], path_, place};
}

JsonValue JsonValue::at(size_t index) const {
  return {(*value_)[index], path_, concat(place_, "[", index, "]")};
}

size_t JsonValue::size() const {
  if (!value_->is_array()) refuse("must be a list");
  return value_->size();
}

bool JsonValue::boolean() const {
  if (!value_->is_boolean()) refuse("must be true or false");
  return value_->get<bool>();
}

int32_t JsonValue::id() const {
  constexpr int64_t kMax = std::numeric_limits<int32_t>::max();
  const bool fits = value_->is_number_integer() && *value_ >= 0 && *value_ <= kMax;
  if (!fits) refuse(concat("must be a whole number from 0 to ", kMax));
  return value_->get<int32_t>();
}

const std::string& JsonValue::string() const {
  if (!value_->is_string()) refuse("must be a string");
  return value_->get_ref<const std::string&>();
}

void JsonValue::refuse(const std::string& why) const {
  throw input_error(concat(path_, ": ", printable(place_), " ", why));
}

}  // namespace m2
