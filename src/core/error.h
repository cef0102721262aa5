// core: dtypes, tensor views, memory, threads, errors and randomness. The lowest rung: uses
// nothing.
#pragma once

#include <stdexcept>
#include <string>

namespace m2 {

// What went wrong, as the exit code that a command ends with.
enum class ErrorKind : int {
  kFailed = 1,        // the work failed: disk full, a number became NaN
  kUsage = 2,         // the caller asked for something wrong: a flag, a length, a shape
  kInput = 3,         // a file was missing, damaged or of an unsupported kind
  kInterrupted = 130  // stopped by SIGINT
};

// An error meant for the user: one line that says what, where and what to do.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const { return kind_; }

 private:
  ErrorKind kind_;
};

// Memory was asked for that is not to be had: a kFailed that programs can tell from the others.
class MemoryError final : public Error {
 public:
  explicit MemoryError(const std::string& message) : Error(ErrorKind::kFailed, message) {}
};

Error failed_error(const std::string& message);
Error usage_error(const std::string& message);
Error input_error(const std::string& message);

// Raised by M2_CHECK: a mistake in this program, never the user's. Names the condition and place.
[[noreturn]] void fail_check(const char* condition, const char* file, int line);

}  // namespace m2

// An invariant of ours. On in every build; keep it out of inner loops.
#define M2_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::m2::fail_check(#condition, __FILE__, __LINE__))
