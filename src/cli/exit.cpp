#include "cli/exit.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <exception>
#include <new>

#include "core/error.h"
#include "core/log.h"

namespace m2 {
namespace {

int report(const std::string& program, const std::string& message, ErrorKind kind) {
  // An error is one line, whatever it quotes.
  std::string line = program + ": error: " + message;
  for (char& c : line) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  std::fputs((line + "\n").c_str(), stderr);
  return static_cast<int>(kind);
}

}  // namespace

int run_guarded(const std::string& program, const std::function<void()>& body) {
  try {
    body();
    return 0;
  } catch (const Error& error) {
    return report(program, error.what(), error.kind());
  } catch (const std::bad_alloc&) {
    return report(program, "not enough memory; try shorter texts or a smaller --filter-cache-bytes",
                  ErrorKind::kFailed);
  } catch (const std::exception& error) {
    return report(program, error.what(), ErrorKind::kFailed);
  }
}

void log_to_stderr(const std::string& program, bool verbose) {
  auto logger = spdlog::stderr_color_mt("m2");
  logger->set_pattern(program + ": %^%l%$: %v");
  logger->set_level(verbose ? spdlog::level::debug : spdlog::level::warn);
  set_log_sink([logger](LogLevel level, const std::string& message) {
    switch (level) {
      case LogLevel::kDebug:
        logger->debug("{}", message);
        break;
      case LogLevel::kInfo:
        logger->info("{}", message);
        break;
      case LogLevel::kWarning:
        logger->warn("{}", message);
        break;
    }
  });
}

}  // namespace m2
