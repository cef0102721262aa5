// The status line and headers of a response.
#pragma once

#include <ctime>
#include <string>
#include <string_view>

#include "serve/http/message.h"

namespace m2 {

// Whether a response of that status may have a body (RFC 9110, 6.4.1).
bool status_has_body(int status);

// "Sun, 06 Nov 1994 08:49:37 GMT".
std::string http_date(std::time_t time);

struct ResponseFrame {
  std::string_view request_id;
  bool closes = false;         // the connection ends with this response
  bool client_is_1_0 = false;  // who wants to be told that it does not
};

// All up to the body, the empty line included. Control characters in the headers' values become
// spaces: no value can start a header of its own.
std::string response_head(const HttpResponse& response, const ResponseFrame& frame);

}  // namespace m2
