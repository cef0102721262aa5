#include "library/call.h"

#include <m2/version.h>

#include <atomic>
#include <exception>
#include <new>
#include <stdexcept>
#include <string_view>

#include "core/error.h"
#include "core/text.h"
#include "library/handles.h"

namespace m2 {
namespace {

static_assert(std::string_view(M2_VERSION) == M2_PROJECT_VERSION,
              "include/m2/version.h and the project's version differ");

constexpr char kNoMemory[] =
    "not enough memory; try fewer or shorter texts at a time, or a smaller filter cache";

// The thread's last error. `fixed` stands in for `text` where there is no memory for that.
struct LastError {
  std::string text;
  const char* fixed = nullptr;
};

LastError& last_error() noexcept {
  thread_local LastError error;
  return error;
}

m2_status remember(m2_status status, const char* message) noexcept {
  LastError& error = last_error();
  try {
    std::string line = message;
    for (char& c : line) {
      if (c == '\n' || c == '\r') c = ' ';
    }
    error.text = std::move(line);
    error.fixed = nullptr;
  } catch (const std::bad_alloc&) {
    error.fixed = kNoMemory;
  }
  return status;
}

m2_status status_of(ErrorKind kind) noexcept {
  switch (kind) {
    case ErrorKind::kFailed:
      return M2_FAILED;
    case ErrorKind::kUsage:
      return M2_WRONG_USE;
    case ErrorKind::kInput:
      return M2_BAD_INPUT;
    case ErrorKind::kInterrupted:
      return M2_CANCELLED;
  }
  return M2_INTERNAL;
}

}  // namespace

uintptr_t next_ticket() {
  // Far from addresses that an allocator gives, and never one that is null or aligned.
  static std::atomic<uintptr_t> next{1};
  return next.fetch_add(2);
}

m2_status call_guarded(const std::function<void()>& body) noexcept {
  try {
    connect_log();
    body();
    return M2_OK;
  } catch (const MemoryError& error) {
    return remember(M2_OUT_OF_MEMORY, error.what());
  } catch (const Error& error) {
    return remember(status_of(error.kind()), error.what());
  } catch (const std::bad_alloc&) {
    last_error().fixed = kNoMemory;
    return M2_OUT_OF_MEMORY;
  } catch (const std::logic_error& error) {
    return remember(M2_INTERNAL, error.what());
  } catch (const std::exception& error) {
    return remember(M2_FAILED, error.what());
  } catch (...) {
    return remember(M2_FAILED, "a callback threw what is no std::exception");
  }
}

void check_pointer(const void* pointer, const char* name) {
  if (pointer == nullptr) throw usage_error(concat(name, " is a null pointer"));
}

std::string text_of(const char* given) {
  return given == nullptr ? "" : given;
}

}  // namespace m2

extern "C" {

const char* m2_last_error() noexcept {
  const m2::LastError& error = m2::last_error();
  return error.fixed != nullptr ? error.fixed : error.text.c_str();
}

const char* m2_version() noexcept {
  return M2_VERSION;
}

}  // extern "C"
