// A request that waits for its response, and who gives it.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "serve/http/message.h"

namespace m2 {

// Shared by the connection and by whoever works on the request. Safe to use from any thread, also
// after its connection or the whole HttpServer is gone.
class HttpExchange {
 public:
  virtual ~HttpExchange() = default;
  const HttpRequest& request() const { return request_; }
  // Sends the response; the first call counts, later ones and those after the client is gone do
  // nothing. An exchange that everyone lets go without a response is answered 500.
  virtual void respond(HttpResponse response) = 0;
  // Whether the client closed its connection: no one reads a response any more. A client that
  // closes only its sending side while it waits counts as gone, since the two look alike. One that
  // pipelined a whole buffer of requests before it left is noticed when it is written to.
  bool gone() const { return gone_.load(std::memory_order_relaxed); }

 protected:
  HttpRequest request_;
  std::atomic<bool> gone_ = false;
};

// What a server does with requests and tells of them. All functions are called on the server's own
// thread and must not wait. They should not throw: a request whose handler does is answered 500.
class HttpHandler {
 public:
  virtual ~HttpHandler() = default;

  // Whether to take a request whose head was read, before its body is: a response refuses it (its
  // body is not read; if it has one the connection closes); null takes it.
  virtual std::unique_ptr<HttpResponse> refuse(const HttpRequest& head) = 0;

  // A whole request. Its response may be given later, from another thread.
  virtual void handle(std::shared_ptr<HttpExchange> exchange) = 0;

  // The response to what is no request, or breaks a limit of the connection: 400, 408, 413, 414,
  // 415, 417, 429, 431, 501, 503; and 500 for a handler that failed. `head` has what was
  // understood of it, an id and the peer at least. `message` is one line for the client.
  virtual HttpResponse error_response(const HttpRequest& head, int status,
                                      const std::string& message) = 0;

  // After a response was sent, or given up: for the log and the metrics. Once for each response of
  // any of the functions above, and once for each request that refuse() took and whose client left
  // before it had the response (status 499).
  struct Sent {
    int status = 0;
    size_t response_bytes = 0;  // head and body; 0 where it was given up
    double seconds = 0;         // from the request's first byte to the response's last
  };
  virtual void on_sent(const HttpRequest& request, const Sent& sent) = 0;
};

}  // namespace m2
