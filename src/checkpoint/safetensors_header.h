// The JSON header of a safetensors file, as events of a strict parser.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/dtype.h"

namespace m2 {

struct SafetensorsEntry {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
  uint64_t begin = 0;  // into the data area
  uint64_t end = 0;
};

struct SafetensorsHeader {
  std::vector<SafetensorsEntry> entries;  // in the header's order
  std::map<std::string, std::string> metadata;
};

// Reads the header's text. Checks its form alone: what the numbers mean is the caller's.
// Error(kInput) in one line that starts with `path`.
SafetensorsHeader parse_safetensors_header(std::string_view text, const std::string& path);

// "F32", "BOOL": how the format spells a dtype.
const char* safetensors_dtype_name(DType dtype);

}  // namespace m2
