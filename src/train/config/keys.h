// The keys of a training file: the one table that reading, --help and docs/training_config.md go
// by.
#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/value.h"

namespace m2 {

enum class KeyOrigin : uint8_t { kUpstream, kOwn };

struct TrainingKey {
  std::string_view path;  // dotted; * stands for any one name
  KeyOrigin origin = KeyOrigin::kUpstream;
  std::string_view default_text;  // empty: must be stated
  std::string_view what;
};

// Keys that act, in the order of a file.
std::span<const TrainingKey> training_keys();

// Keys of the research code and of Composer that are known and do nothing here.
struct IdleKey {
  std::string_view path;  // with all below it; a part *END is any name with that end
  std::string_view reason;
};
std::span<const IdleKey> idle_keys();

// Looks at every key of the tree, ${…} resolved, below model.model_config excepted. Throws
// Error(kInput) naming `source`, the first key that is in neither table, and the nearest one that
// is; keys in `used` may have any name, with all below and beside them in a map of no known name.
// Returns the idle keys that hold a value: a warning each reason.
std::vector<std::string> check_keys(const Value& root, const std::set<std::string>& used,
                                    const std::string& source);

// The same for keys of model.model_config that the model's own reader passed over; `known` are
// those it reads.
std::vector<std::string> check_model_keys(const std::vector<std::string>& passed_over,
                                          const std::vector<std::string>& known, const Value& root,
                                          const std::string& source);

// The one of `known` that `name` was most likely meant to be: fewest letters to change, or
// one that begins with it; of several the first. `known` is not empty.
std::string nearest_name(const std::string& name, const std::vector<std::string>& known);

}  // namespace m2
