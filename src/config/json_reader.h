#pragma once

#include <string>

#include "config/value.h"

namespace m2 {

// `text` as JSON. Throws Error(kInput) naming `source` for what is no JSON, for numbers too large
// for a double, for a key that appears twice in one object, and for nesting beyond kMaxConfigDepth.
Value parse_json(const std::string& text, const std::string& source);

}  // namespace m2
