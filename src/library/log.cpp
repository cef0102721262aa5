#include <m2/base.h>

#include <mutex>

#include "core/log.h"
#include "library/call.h"

namespace m2 {
namespace {

struct Receiver {
  std::recursive_mutex mutex;  // held during a call, which may set another function
  m2_log_function function = nullptr;
  void* user = nullptr;
};

Receiver& receiver() {
  static auto& instance = *new Receiver;
  return instance;
}

m2_log_level public_level(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return M2_LOG_DEBUG;
    case LogLevel::kInfo:
      return M2_LOG_INFO;
    case LogLevel::kWarning:
      return M2_LOG_WARNING;
  }
  return M2_LOG_WARNING;
}

void hand_over(LogLevel level, const std::string& message) {
  std::string line = message;
  for (char& c : line) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  Receiver& to = receiver();
  const std::lock_guard lock(to.mutex);
  if (to.function != nullptr) to.function(to.user, public_level(level), line.c_str());
}

}  // namespace

void connect_log() {
  static const bool connected = [] {
    set_log_sink(hand_over);
    return true;
  }();
  static_cast<void>(connected);
}

}  // namespace m2

extern "C" m2_status m2_set_log(m2_log_function function, void* user) noexcept {
  return m2::call_guarded([&] {
    m2::Receiver& to = m2::receiver();
    const std::lock_guard lock(to.mutex);
    to.function = function;
    to.user = user;
  });
}
