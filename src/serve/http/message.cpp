#include "serve/http/message.h"

#include <algorithm>

namespace m2 {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

}  // namespace

bool same_token(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view header_value(const HttpHeaders& headers, std::string_view name) {
  for (const auto& [own, value] : headers) {
    if (same_token(own, name)) return value;
  }
  return {};
}

}  // namespace m2
