#include "train/config/overrides.h"

#include <algorithm>

#include "config/yaml_reader.h"
#include "core/error.h"
#include "core/text.h"

namespace m2 {
namespace {

[[noreturn]] void refuse(const std::string& override, const std::string& why) {
  throw usage_error(concat("\"", printable(override), "\" ", why));
}

// The member of that name, made where it is missing.
Value& member(Value& map, const std::string& key) {
  map.kind = Value::Kind::kMap;
  const auto found = std::find_if(map.members.begin(), map.members.end(),
                                  [&](const ValueMember& one) { return one.key == key; });
  if (found != map.members.end()) return found->value;
  map.members.push_back({key, {}});
  return map.members.back().value;
}

Value value_of(const std::string& override, const std::string& text) {
  try {
    return parse_yaml(text, "value");
  } catch (const Error& error) {
    refuse(override, concat("has no value that YAML knows (", error.what(), ")"));
  }
}

void apply(Value& root, const std::string& override) {
  if (find_invalid_utf8(override) != std::string::npos) {
    refuse(override, "is not UTF-8, as a configuration is");
  }
  const size_t equals = override.find('=');
  if (equals == std::string::npos) {
    refuse(override, "is no setting: write it as key=value, for example optimizer.lr=5e-4");
  }
  const std::string path = override.substr(0, equals);
  Value* at = &root;
  for (size_t start = 0; start <= path.size();) {
    const size_t dot = std::min(path.find('.', start), path.size());
    const std::string key = path.substr(start, dot - start);
    if (key.empty()) refuse(override, "has an empty part in its key");
    if (at->kind != Value::Kind::kMap && at->kind != Value::Kind::kNull) {
      refuse(override, concat("goes through ", path.substr(0, start - 1), ", which is ",
                              at->describe(), ", not a map"));
    }
    at = &member(*at, key);
    start = dot + 1;
  }
  *at = value_of(override, override.substr(equals + 1));
}

}  // namespace

void apply_overrides(Value& root, const std::vector<std::string>& overrides) {
  for (const std::string& override : overrides) apply(root, override);
}

}  // namespace m2
