// HTTP/1.1 on a TCP address or a UNIX socket: reads requests within limits, keeps connections
// alive, notices clients that go away. Knows no route.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "serve/http/exchange.h"

namespace m2 {

// Times are for the whole step: a client that sends or takes a byte now and then gains nothing.
struct HttpLimits {
  size_t header_bytes = 16 << 10;
  size_t body_bytes = size_t{32} << 20;
  // Of the bodies of all requests that someone still works on, taken before a body is read (by
  // Content-Length, or chunk by chunk); more are answered 429.
  size_t held_bytes = size_t{256} << 20;
  size_t connections = 4096;                     // open at once; more are answered 503 and closed
  std::chrono::milliseconds header_time{10000};  // from the first byte of a request to its head
  std::chrono::milliseconds body_time{60000};    // for the whole body
  std::chrono::milliseconds idle_time{75000};    // of a connection before and between requests
  std::chrono::milliseconds write_time{60000};   // for a client to take a whole response
};

struct HttpAddress {
  std::string host = "127.0.0.1";  // a numeric address or a name of this machine
  uint16_t port = 8080;            // 0: any free one
  std::string unix_socket;         // a path instead of host and port
};

struct HttpCounts {
  size_t connections = 0;            // open now
  size_t held_bytes = 0;             // likewise
  uint64_t accepted = 0;             // since the start, those over the limit included
  uint64_t refused_connections = 0;  // over the limit
  uint64_t timeouts = 0;             // of header, body or write time
  uint64_t write_timeouts = 0;       // of these, of write time
  uint64_t bad_requests = 0;         // what was no request, or broke a limit
};

// All but start() and the destructor may be called from any thread; stop() and drain() not from
// within the handler.
class HttpServer {
 public:
  // Listens from here on, so that clients that connect wait for start(). A name is listened on at
  // all its addresses. A socket file that no one answers on is replaced. Error(kFailed), one line,
  // when the address cannot be had.
  HttpServer(const HttpAddress& address, const HttpLimits& limits, HttpHandler& handler);
  ~HttpServer();  // stop()

  // "127.0.0.1:8080" with the port that it got, or the socket's path.
  std::string address() const;
  uint16_t port() const;  // 0 for a UNIX socket

  // Serves on one thread of its own until stop().
  void start();
  // Accepts no more connections, closes idle ones, and answers "Connection: close" from now on.
  // What reached this machine before the call is served. Removes the socket file.
  void drain();
  // Requests of which a byte was read and that have not got the last byte of their response.
  size_t open_exchanges() const;
  // Accepts no more and closes what is open: requests in hand are gone(), with status 499.
  void stop();

  HttpCounts counts() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace m2
