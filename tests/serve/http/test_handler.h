// A handler that echoes, and keeps what a test asks it to keep.
#pragma once

#include <cstdlib>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "serve/http/exchange.h"
#include "serve/http/raw_client.h"
#include "serve/http/server.h"

namespace m2 {

class TestHandler final : public HttpHandler {
 public:
  struct Told {
    std::string path;
    int status = 0;
    size_t response_bytes = 0;
    double seconds = 0;
  };

  std::unique_ptr<HttpResponse> refuse(const HttpRequest& head) override {
    if (head.path == "/throw-early") throw std::runtime_error("no such thing");
    if (head.path != "/refused") return nullptr;
    return std::make_unique<HttpResponse>(HttpResponse{401, "text/plain", "who are you?", {}});
  }

  void handle(std::shared_ptr<HttpExchange> exchange) override {
    const HttpRequest& request = exchange->request();
    if (request.path == "/throw") throw std::runtime_error("no such thing");
    if (request.path == "/drop") return;
    if (request.path == "/hold") return hold(std::move(exchange));
    HttpResponse response{200, "text/plain", echo(request), {{"x-peer", request.peer}}};
    if (request.path == "/large") response.body.assign(std::stoul(request.query), 'l');
    if (request.path == "/empty") response.status = 204;
    exchange->respond(std::move(response));
  }

  HttpResponse error_response(const HttpRequest&, int status, const std::string& message) override {
    return {status, "text/plain", message, {}};
  }

  void on_sent(const HttpRequest& request, const Sent& sent) override {
    const std::lock_guard lock(mutex_);
    told_.push_back({request.path, sent.status, sent.response_bytes, sent.seconds});
  }

  static std::string echo(const HttpRequest& request) {
    return request.method + " " + request.path + " " + request.query + "\n" + request.body;
  }

  // The exchanges of "/hold" so far.
  std::vector<std::shared_ptr<HttpExchange>> held() {
    const std::lock_guard lock(mutex_);
    return held_;
  }
  // The first of them, when there is one.
  std::shared_ptr<HttpExchange> await_held() {
    return becomes_true([this] { return !held().empty(); }) ? held().front() : nullptr;
  }
  void forget_held() {
    const std::lock_guard lock(mutex_);
    held_.clear();
  }

  std::vector<Told> told() {
    const std::lock_guard lock(mutex_);
    return told_;
  }
  // Whether on_sent() comes to be called with that status.
  bool hears_of(int status) {
    return becomes_true([&] {
      for (const Told& sent : told()) {
        if (sent.status == status) return true;
      }
      return false;
    });
  }

 private:
  void hold(std::shared_ptr<HttpExchange> exchange) {
    const std::lock_guard lock(mutex_);
    held_.push_back(std::move(exchange));
  }

  std::mutex mutex_;
  std::vector<std::shared_ptr<HttpExchange>> held_;
  std::vector<Told> told_;
};

// A server with limits that tests set before start().
struct TestServer {
  HttpLimits limits;
  HttpAddress address{"127.0.0.1", 0, ""};
  TestHandler handler;
  std::unique_ptr<HttpServer> server;

  TestServer& start() {
    server = std::make_unique<HttpServer>(address, limits, handler);
    server->start();
    return *this;
  }
  uint16_t port() const { return server->port(); }
  HttpCounts counts() const { return server->counts(); }

  // Whether a new client is served.
  bool serves() const {
    RawClient client(port());
    return client.send("GET /alive HTTP/1.1\r\nHost: test\r\n\r\n") &&
           client.read_reply().body == "GET /alive \n";
  }
};

}  // namespace m2
