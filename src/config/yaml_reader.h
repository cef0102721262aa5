#pragma once

#include <string>

#include "config/value.h"

namespace m2 {

// `text`, the first YAML document in it, as a Value: plain scalars become null, true, numbers or
// text as YAML 1.1 has them, quoted ones text. Every ${…} is marked for Interpolation
// (interpolation.h). Throws Error(kInput) naming `source` for what is no YAML, for a key that
// appears twice in one map or is no scalar, for merge keys (<<), for nesting beyond
// kMaxConfigDepth, and for anchors that unfold to more than 20,000 values.
Value parse_yaml(const std::string& text, const std::string& source);

}  // namespace m2
