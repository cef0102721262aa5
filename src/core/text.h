// Small helpers for messages.
#pragma once

#include <cstdint>
#include <locale>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace m2 {

// The arguments one after the other, as operator<< writes them, whatever the process's locale.
template <class... Parts>
std::string concat(const Parts&... parts) {
  std::ostringstream out;
  out.imbue(std::locale::classic());
  (out << ... << parts);
  return out.str();
}

// "[2, 3]".
std::string shape_text(const std::vector<int64_t>& shape);

// The items with a separator between them.
std::string join(const std::vector<std::string>& items, std::string_view separator);

// "1.4 GB", "512 B": powers of 1000.
std::string bytes_text(uint64_t bytes);

// A name or value from outside, fit for one line of a terminal: control characters and bytes that
// are no UTF-8 become \xNN, more than `limit` bytes end in "…".
std::string printable(std::string_view value, size_t limit = 80);

// Length in bytes of the UTF-8 sequence that `text` starts with, or 0 if it is not well-formed
// (overlong forms, surrogates and values above U+10FFFF are not). `code_point` gets its value.
int decode_utf8(std::string_view text, char32_t& code_point);

// Byte offset of the first ill-formed sequence, or npos.
size_t find_invalid_utf8(std::string_view text);

}  // namespace m2
