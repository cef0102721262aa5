// Messages for the user's terminal or a program's own log. The library prints nothing itself.
#pragma once

#include <functional>
#include <string>

namespace m2 {

enum class LogLevel { kDebug, kInfo, kWarning };
using LogSink = std::function<void(LogLevel level, const std::string& message)>;

// Replaces where messages go; an empty sink drops them (the state at the start). Set it before
// threads start.
void set_log_sink(LogSink sink);

void log_debug(const std::string& message);
void log_info(const std::string& message);
void log_warning(const std::string& message);

}  // namespace m2
