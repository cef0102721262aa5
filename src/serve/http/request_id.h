// The name under which a request is found in logs.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace m2 {

class RequestIds {
 public:
  RequestIds();
  // The letters, digits, "-", "_" and "." among the first 64 such of `wished`; where there are
  // none, 16 hexadecimal digits that no other request has.
  std::string next(std::string_view wished);

 private:
  uint64_t state_;
};

}  // namespace m2
