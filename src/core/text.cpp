#include "core/text.h"

#include <array>
#include <cstdio>

namespace m2 {

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string out = "[";
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) out += ", ";
    out += std::to_string(shape[i]);
  }
  return out + "]";
}

std::string join(const std::vector<std::string>& items, std::string_view separator) {
  std::string out;
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out += separator;
    out += items[i];
  }
  return out;
}

std::string bytes_text(uint64_t bytes) {
  static constexpr std::array<const char*, 5> kUnits = {"B", "kB", "MB", "GB", "TB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1000.0 && unit + 1 < kUnits.size()) {
    value /= 1000.0;
    ++unit;
  }
  std::array<char, 32> buffer{};
  std::snprintf(buffer.data(), buffer.size(), unit == 0 || value >= 100 ? "%.0f %s" : "%.1f %s",
                value, kUnits[unit]);
  return buffer.data();
}

int decode_utf8(std::string_view text, char32_t& code_point) {
  if (text.empty()) return 0;
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) {
    code_point = lead;
    return 1;
  }
  const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return 0;
  char32_t value = lead & (0x7Fu >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0u) != 0x80u) return 0;
    value = (value << 6) | (byte(i) & 0x3Fu);
  }
  static constexpr std::array<char32_t, 5> kSmallest = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (value < kSmallest[length] || value > 0x10FFFF || surrogate) return 0;
  code_point = value;
  return static_cast<int>(length);
}

size_t find_invalid_utf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    char32_t ignored = 0;
    const int length = decode_utf8(text.substr(at), ignored);
    if (length == 0) return at;
    at += static_cast<size_t>(length);
  }
  return std::string_view::npos;
}

std::string printable(std::string_view value, size_t limit) {
  std::string out;
  for (size_t at = 0; at < value.size();) {
    if (out.size() >= limit) return out + "…";
    char32_t code_point = 0;
    const int length = decode_utf8(value.substr(at), code_point);
    if (length == 0 || code_point < 0x20 || (code_point >= 0x7F && code_point < 0xA0)) {
      std::array<char, 8> buffer{};
      const unsigned byte = static_cast<unsigned char>(value[at]);
      std::snprintf(buffer.data(), buffer.size(), "\\x%02x", byte);
      out += buffer.data();
      at += 1;
    } else {
      out += value.substr(at, static_cast<size_t>(length));
      at += static_cast<size_t>(length);
    }
  }
  return out;
}

}  // namespace m2
