// One HTTP request as a handler sees it, and the response that it gives.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace m2 {

using ServeClock = std::chrono::steady_clock;

// In the order in which they were sent. Names are matched without regard to case, as HTTP has it.
using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

// The value of the first header of that name, or empty.
std::string_view header_value(const HttpHeaders& headers, std::string_view name);

// Whether two names or tokens are the same but for the case of ASCII letters.
bool same_token(std::string_view a, std::string_view b);

struct HttpRequest {
  std::string method;   // as it was sent: "GET", "POST"
  std::string path;     // of the target, before any "?", not decoded; begins with "/", or is "*"
  std::string query;    // behind the "?"
  HttpHeaders headers;  // values without the white space around them; no trailers
  std::string body;     // its chunks joined
  std::string id;       // x-request-id, cleaned and cut, or one made here
  std::string peer;     // "127.0.0.1:51234", "[::1]:51234" or "unix"
  ServeClock::time_point begun;        // when its first byte was read
  mutable std::shared_ptr<void> note;  // the handler's own, from refuse() to on_sent()
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";  // empty: none is sent
  std::string body;
  HttpHeaders headers;  // beside Content-Type, Content-Length, Connection, Date and x-request-id
};

}  // namespace m2
