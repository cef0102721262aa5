// The bytes of one HTTP request, taken as they come. Knows no socket.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "serve/http/request_rules.h"

namespace m2 {

// Boost.Beast parses. What it takes but another server could read differently is refused here:
// line ends other than CR LF, folded lines, control characters, and what request_rules.h names.
class RequestReader {
 public:
  enum class Stage {
    kHead,   // the head is not whole
    kBody,   // the head is, the body is not; the caller may still refuse the request
    kWhole,  // all of it was read
    kFault   // no request, or above a limit: nothing more is read
  };

  // The head, and each chunk's line and the trailers, have at most `header_bytes`.
  RequestReader(size_t header_bytes, size_t body_bytes);
  ~RequestReader();

  // Reads on at the front of `input` and says how many bytes it used up; the caller keeps the rest
  // and gives it again with what follows. Stops where the head ends, and where the request does.
  // It never leaves more than `header_bytes` unused and asks for more.
  size_t read(std::string_view input);

  Stage stage() const { return stage_; }
  const RequestFault& fault() const { return fault_; }

  HttpRequest& request();
  // From the end of the head on:
  bool has_body() const;
  uint64_t announced() const;     // Content-Length, 0 where there is none
  bool wants_continue() const;    // sends its body only after "100 Continue"
  bool is_http_1_0() const;       // false before the head was read
  bool keeps_connection() const;  // likewise
  // Makes room for the announced body; call it after the length was checked.
  void reserve_body();

 private:
  class Parser;
  size_t read_head(std::string_view input);
  size_t read_body(std::string_view input);
  size_t find_head_end(std::string_view input);
  void take_head();
  void fail(RequestFault fault);

  const size_t header_bytes_;
  std::unique_ptr<Parser> parser_;
  Stage stage_ = Stage::kHead;
  RequestFault fault_;
  size_t scanned_ = 0;  // bytes of the head that find_head_end() has seen
  bool skipped_empty_line_ = false;
};

}  // namespace m2
