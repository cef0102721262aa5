// Little-endian numbers and runs of bytes out of a span, each read checked.
#pragma once

#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "core/error.h"
#include "core/text.h"

namespace m2 {

// Reads forward from an offset. Reading past the end throws Error(kInput): "WHAT: is cut short".
class ByteReader {
 public:
  ByteReader(std::span<const std::byte> bytes, const std::string& what, size_t at = 0)
      : bytes_(bytes), what_(what), at_(at) {}

  size_t at() const { return at_; }
  size_t left() const { return at_ < bytes_.size() ? bytes_.size() - at_ : 0; }

  template <class T>
    requires std::is_integral_v<T>
  T number() {
    T value{};
    std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
    return value;
  }

  std::span<const std::byte> take(uint64_t count) {
    if (count > left()) {
      throw input_error(concat(what_, ": is cut short (", count, " bytes wanted at byte ", at_,
                               " of ", bytes_.size(), "); download it again"));
    }
    const auto run = bytes_.subspan(at_, static_cast<size_t>(count));
    at_ += run.size();
    return run;
  }

  std::string_view text(uint64_t count) {
    const auto run = take(count);
    return {reinterpret_cast<const char*>(run.data()), run.size()};
  }

  // Up to the next newline, which is passed over.
  std::string_view line() {
    const auto rest = bytes_.subspan(bytes_.size() - left());
    const std::string_view all(reinterpret_cast<const char*>(rest.data()), rest.size());
    const size_t end = all.find('\n');
    const std::string_view found = text(end == all.npos ? all.size() + 1 : end + 1);
    return found.substr(0, end);
  }

 private:
  std::span<const std::byte> bytes_;
  const std::string& what_;
  size_t at_;
};

}  // namespace m2
