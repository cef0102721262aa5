// HEAD and GET over HTTP by libcurl, as the downloader needs them: redirects followed by hand, so
// that a token stays with its host; what may pass tried again. Proxies are those of the environment
// (https_proxy, no_proxy), certificates of another authority those of SSL_CERT_FILE.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "core/error.h"

namespace m2 {

// An answer without its body.
struct HttpAnswer {
  long status = 0;
  std::string url;                            // what gave it
  std::string redirect;                       // where it leads, absolute; empty: nowhere
  std::map<std::string, std::string> fields;  // of the header, names in small letters

  std::string field(const std::string& name) const;  // empty where it is missing
};

// No answer came, or not the whole of one: kFailed. Another try may fare better.
class ConnectionError final : public Error {
 public:
  explicit ConnectionError(const std::string& message) : Error(ErrorKind::kFailed, message) {}
};

// Where the body of a GET goes. It may take several requests: each begins where the last broke off.
class BodySink {
 public:
  virtual ~BodySink() = default;
  // Bytes that are there already and are not asked for again.
  virtual uint64_t offset() const = 0;
  // All bytes are about to come: those that are there are none.
  virtual void restart() = 0;
  virtual void write(std::string_view bytes) = 0;
};

struct HttpOptions {
  std::string base;                   // whose scheme, host and port alone get the token
  std::string token;                  // "Bearer" without it; empty: none
  std::function<bool()> interrupted;  // asked several times a second; may be empty
};

// One connection, for one thread at a time; several clients may work at once.
//
// Both throw ConnectionError when the last try failed, Error(kFailed) for what no try mends (a
// certificate, too many redirects, one from https to http) and Error(kInterrupted). An answer of
// any status is returned: 408, 429 and those from 500 after the last try.
class HttpClient {
 public:
  explicit HttpClient(HttpOptions options);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // Follows redirects only as long as they stay with the base's host. Fields that begin with x- may
  // be those of an earlier answer on the way.
  HttpAnswer head(const std::string& url);
  // The body goes to `sink` where the answer is 200 or 206.
  HttpAnswer get(const std::string& url, BodySink& sink);

  // Whether any server has answered yet.
  bool reached() const;
  // Bytes of bodies that went to sinks.
  uint64_t received() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// `text` with all but letters, digits and -._~ written as %XX; slashes stay where `keep_slashes`.
std::string url_escape(std::string_view text, bool keep_slashes);

// "https://host" or "https://host:port", for messages and to tell hosts apart; empty for what is no
// http or https URL.
std::string url_origin(const std::string& url);

}  // namespace m2
