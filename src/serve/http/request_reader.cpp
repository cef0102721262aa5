#include "serve/http/request_reader.h"

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <string>
#include <utility>

namespace m2 {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

// Beast's parser with the request that it fills.
class RequestReader::Parser final : public http::basic_parser<true> {
 public:
  explicit Parser(size_t body_bytes) : body_bytes_(body_bytes) {
    body_limit(boost::none);   // on_chunk_header_impl and body_fault() have it
    header_limit(UINT32_MAX);  // find_head_end() has it
  }

  HttpRequest request;
  std::string target;
  bool http_1_1 = false;

 private:
  void on_request_impl(http::verb, beast::string_view method, beast::string_view raw_target,
                       int version, beast::error_code&) override {
    request.method = method;
    target = raw_target;
    http_1_1 = version == 11;
  }

  void on_field_impl(http::field, beast::string_view name, beast::string_view value,
                     beast::error_code&) override {
    if (!in_body_) request.headers.emplace_back(name, value);  // else a trailer
  }

  void on_chunk_header_impl(uint64_t size, beast::string_view, beast::error_code& error) override {
    if (size > body_bytes_ - request.body.size()) error = http::error::body_limit;
  }

  size_t on_body_impl(beast::string_view bytes, beast::error_code&) override {
    request.body.append(bytes.data(), bytes.size());
    return bytes.size();
  }

  size_t on_chunk_body_impl(uint64_t, beast::string_view bytes, beast::error_code&) override {
    request.body.append(bytes.data(), bytes.size());
    return bytes.size();
  }

  void on_header_impl(beast::error_code&) override { in_body_ = true; }
  void on_response_impl(int, beast::string_view, int, beast::error_code&) override {}
  void on_body_init_impl(const boost::optional<uint64_t>&, beast::error_code&) override {}
  void on_finish_impl(beast::error_code&) override {}

  const size_t body_bytes_;
  bool in_body_ = false;
};

RequestReader::RequestReader(size_t header_bytes, size_t body_bytes)
    : header_bytes_(header_bytes), parser_(std::make_unique<Parser>(body_bytes)) {}

RequestReader::~RequestReader() = default;

HttpRequest& RequestReader::request() {
  return parser_->request;
}

bool RequestReader::has_body() const {
  return parser_->chunked() || announced() > 0;
}

uint64_t RequestReader::announced() const {
  return parser_->content_length().value_or(0);
}

bool RequestReader::wants_continue() const {
  return has_body() && parser_->http_1_1 &&
         !header_value(parser_->request.headers, "Expect").empty();
}

bool RequestReader::is_http_1_0() const {
  return parser_->is_header_done() && !parser_->http_1_1;
}

bool RequestReader::keeps_connection() const {
  return parser_->is_header_done() && parser_->keep_alive();
}

void RequestReader::reserve_body() {
  parser_->request.body.reserve(announced());
}

size_t RequestReader::read(std::string_view input) {
  if (stage_ == Stage::kHead) return read_head(input);
  if (stage_ == Stage::kBody) return read_body(input);
  return 0;
}

size_t RequestReader::read_head(std::string_view input) {
  // Some clients end a body with an empty line that no length counts (RFC 9112, 2.2).
  if (!skipped_empty_line_ && input.starts_with("\r\n")) {
    skipped_empty_line_ = true;
    scanned_ = 0;
    return 2 + read_head(input.substr(2));
  }
  const size_t size = find_head_end(input);
  if (size == 0) return 0;
  beast::error_code error;
  const size_t used = parser_->put(asio::buffer(input.data(), size), error);
  if (error || used != size || !parser_->is_header_done()) {
    fail({400, "this is no HTTP request: " + (error ? error.message() : "bad head")});
    return 0;
  }
  take_head();
  return used;
}

// The size of the head, or 0 while it is not whole or when it is at fault.
size_t RequestReader::find_head_end(std::string_view input) {
  for (const size_t end = std::min(input.size(), header_bytes_); scanned_ < end; ++scanned_) {
    const char c = input[scanned_];
    const char before = scanned_ > 0 ? input[scanned_ - 1] : '\0';
    const auto byte = static_cast<unsigned char>(c);
    if ((c == '\n') != (before == '\r')) {
      fail({400, "a line of the request's head does not end in CR LF"});
      return 0;
    }
    if ((byte < 0x20 && c != '\t' && c != '\r' && c != '\n') || byte == 0x7F) {
      fail({400, "the request's head has a control character"});
      return 0;
    }
    if (before == '\n' && (c == ' ' || c == '\t')) {
      fail({400, "the request has a header of more than one line"});
      return 0;
    }
    if (c == '\n' && scanned_ >= 3 && input.substr(scanned_ - 3, 2) == "\r\n") return scanned_ + 1;
  }
  if (scanned_ < header_bytes_) return 0;
  const bool in_first_line = input.substr(0, header_bytes_).find('\n') == input.npos;
  fail({in_first_line ? 414 : 431,
        "the request's head is longer than " + std::to_string(header_bytes_) + " bytes"});
  return 0;
}

void RequestReader::take_head() {
  HttpRequest& request = parser_->request;
  RequestFault fault = framing_fault(request.headers, parser_->http_1_1);
  if (!fault) fault = split_target(parser_->target, request);
  if (fault) return fail(std::move(fault));
  stage_ = Stage::kBody;
}

size_t RequestReader::read_body(std::string_view input) {
  size_t used = 0;
  beast::error_code error;
  while (!parser_->is_done() && used < input.size() && !error) {
    used += parser_->put(asio::buffer(input.data() + used, input.size() - used), error);
  }
  if (parser_->is_done()) {
    stage_ = Stage::kWhole;
  } else if (error == http::error::body_limit) {
    fail({413, "the request's body is longer than this server reads"});
  } else if (error && error != http::error::need_more) {
    fail({400, "the request's chunks cannot be read: " + error.message()});
  } else if (input.size() - used >= header_bytes_) {
    fail({431, "a chunk's line or the trailers are longer than " + std::to_string(header_bytes_) +
                   " bytes"});
  }
  return used;
}

void RequestReader::fail(RequestFault fault) {
  stage_ = Stage::kFault;
  fault_ = std::move(fault);
}

}  // namespace m2
