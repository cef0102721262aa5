// The server's log: a JSON object a line on stderr, one for each request and for each event.
#pragma once

#include <cstdio>
#include <mutex>
#include <string>

#include "core/log.h"
#include "serve/http/exchange.h"
#include "serve/task.h"

namespace m2 {

// Safe from any thread. Texts, keys and other headers of a request are never written.
class RequestLog {
 public:
  // Below `least` nothing is written; requests are kInfo.
  RequestLog(std::FILE* out, LogLevel least) : out_(out), least_(least) {}

  // {"time", "level", "message"}
  void event(LogLevel level, const std::string& message);
  // {"time", "level", "request_id", "trace_id"?, "method", "path", "route", "status", …}
  void request(const HttpRequest& request, const HttpHandler::Sent& sent, const RequestNote& note);

 private:
  void write(const std::string& line);

  std::FILE* out_;
  LogLevel least_;
  std::mutex mutex_;
};

// The trace id of a W3C traceparent header, or empty where it is none.
std::string trace_id(std::string_view traceparent);

}  // namespace m2
