// What the fuzzers of the two kinds of configuration files do.
#pragma once

#include <string>

#include "config/load_config.h"
#include "fuzz_input.h"

namespace m2 {

// Reads the input as the file of that name. What is read must come back from its own config.json.
inline int fuzz_config(const uint8_t* data, size_t size, const std::string& name) {
  return fuzz_reader([&] {
    const std::string text(reinterpret_cast<const char*>(data), size);
    const std::string written = to_json(parse_model_config(text, name));
    if (to_json(parse_model_config(written, "config.json")) != written) __builtin_trap();
  });
}

}  // namespace m2
