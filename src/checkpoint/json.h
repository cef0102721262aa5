// JSON from outside: limited in size and depth, every key once.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace m2 {

inline constexpr size_t kMaxJsonDepth = 64;
inline constexpr size_t kMaxJsonBytes = size_t{64} << 20;

struct JsonLimits {
  size_t depth = kMaxJsonDepth;
  size_t values = SIZE_MAX;  // lists, objects and what they hold: each takes memory
};

// The value of `text`. Error(kInput), one line that starts with `where` (a file's name), when it is
// no JSON, beyond the limits, or holds a key twice in one object.
nlohmann::json parse_json(std::string_view text, const std::string& where,
                          const JsonLimits& limits = {});

// The same for a whole file of at most kMaxJsonBytes, whose top must be an object.
nlohmann::json read_json_object(const std::string& path);

// A file's name, of any bytes, as the UTF-8 that JSON holds, each name as another: bytes that are
// no UTF-8 become \xNN, a backslash two.
std::string json_file_name(std::string_view name);

// What a parser's exception says, as the tail of a line: without its own tag, printable.
std::string json_problem(const nlohmann::json::exception& error);

}  // namespace m2
