#include "core/log.h"

#include <utility>

namespace m2 {
namespace {

LogSink& sink() {
  static LogSink instance;
  return instance;
}

void emit(LogLevel level, const std::string& message) {
  if (sink()) sink()(level, message);
}

}  // namespace

void set_log_sink(LogSink new_sink) {
  sink() = std::move(new_sink);
}
void log_debug(const std::string& message) {
  emit(LogLevel::kDebug, message);
}
void log_info(const std::string& message) {
  emit(LogLevel::kInfo, message);
}
void log_warning(const std::string& message) {
  emit(LogLevel::kWarning, message);
}

}  // namespace m2
