// What this server asks of a request beyond its syntax: that no one in front of it, a proxy say,
// could have read it as another request.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "serve/http/message.h"

namespace m2 {

// The status that answers what is wrong, and one line for the client. Status 0: nothing is.
struct RequestFault {
  int status = 0;
  std::string message;
  explicit operator bool() const { return status != 0; }
};

// Host, Content-Length and Transfer-Encoding: those that are there, each once, in its plainest
// form.
RequestFault framing_fault(const HttpHeaders& headers, bool http_1_1);

// Takes the target apart into path and query, the absolute form ("http://host/path") too.
RequestFault split_target(std::string_view target, HttpRequest& request);

// What forbids to read the body: an encoding, an expectation, a length announced above the limit.
RequestFault body_fault(const HttpHeaders& headers, uint64_t announced, size_t body_bytes);

}  // namespace m2
