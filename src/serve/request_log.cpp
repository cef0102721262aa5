#include "serve/request_log.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <ctime>
#include <nlohmann/json.hpp>

#include "core/text.h"

namespace m2 {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMaxPathBytes = 200;

// "2026-11-27T02:05:16.123Z"
std::string now_text() {
  const auto now = std::chrono::system_clock::now();
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  const auto milliseconds =
      std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 64> text{};
  const size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text.data() + length, text.size() - length, ".%03dZ",
                static_cast<int>(milliseconds));
  return text.data();
}

const char* level_name(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
  }
  return "info";
}

double rounded(double seconds) {
  return std::round(seconds * 1e6) / 1e6;
}

std::string line_of(const Json& json) {
  return json.dump(-1, ' ', true, Json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string trace_id(std::string_view traceparent) {
  // version-trace-parent-flags: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
  constexpr size_t kLength = 55, kBegin = 3, kDigits = 32;
  if (traceparent.size() < kLength || traceparent[2] != '-' || traceparent[35] != '-') return {};
  const std::string_view id = traceparent.substr(kBegin, kDigits);
  if (id.find_first_not_of("0123456789abcdef") != id.npos) return {};
  if (id.find_first_not_of('0') == id.npos) return {};
  return std::string(id);
}

void RequestLog::event(LogLevel level, const std::string& message) {
  if (level < least_) return;
  write(line_of({{"time", now_text()}, {"level", level_name(level)}, {"message", message}}));
}

void RequestLog::request(const HttpRequest& request, const HttpHandler::Sent& sent,
                         const RequestNote& note) {
  if (LogLevel::kInfo < least_) return;
  Json json = {{"time", now_text()},
               {"level", "info"},
               {"request_id", request.id},
               {"method", printable(request.method)},
               {"path", printable(request.path, kMaxPathBytes)},
               {"route", note.route},
               {"status", sent.status},
               {"seconds", rounded(sent.seconds)},
               {"peer", request.peer},
               {"request_bytes", request.body.size()},
               {"response_bytes", sent.response_bytes}};
  const std::string trace = trace_id(header_value(request.headers, "traceparent"));
  if (!trace.empty()) json["trace_id"] = trace;
  if (!note.model.empty()) {
    json.update({{"model", note.model},
                 {"inputs", note.inputs},
                 {"tokens", note.tokens},
                 {"computed_tokens", note.computed_tokens},
                 {"truncated_inputs", note.truncated},
                 {"tokenize_seconds", rounded(note.tokenize_seconds)},
                 {"queue_seconds", rounded(note.queue_seconds)},
                 {"compute_seconds", rounded(note.compute_seconds)}});
  }
  if (!note.problem.empty()) json["problem"] = note.problem;
  write(line_of(json));
}

void RequestLog::write(const std::string& line) {
  const std::lock_guard lock(mutex_);
  std::fwrite(line.data(), 1, line.size(), out_);
  std::fflush(out_);
}

}  // namespace m2
