#include "serve/http/server.h"

#include <pthread.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "core/log.h"
#include "serve/http/connection.h"
#include "serve/http/listener.h"

namespace m2 {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

// Connections over the limit that are told so at one time; the rest is closed without a word.
constexpr size_t kRefusedAtOnce = 64;
// Before the next try to accept when the system had no descriptor or memory left.
constexpr std::chrono::milliseconds kAcceptPause{100};

}  // namespace

struct HttpServer::State {
  State(const HttpAddress& where, const HttpLimits& limits, HttpHandler& handler)
      : listener(listen_on(io, where)), host{io,
                                             limits,
                                             handler,
                                             std::make_shared<IoQueue>(io),
                                             std::make_shared<ByteBudget>(limits.held_bytes),
                                             {},
                                             false,
                                             {}} {}

  void accept_on(Acceptor& acceptor);
  void accept_later(Acceptor& acceptor);
  void take(StreamSocket socket);
  void accept_what_waits();
  void drain();
  void stop();
  void run();
  void run_on_loop(const std::function<void()>& function);

  asio::io_context io{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{io.get_executor()};
  Listener listener;
  ConnectionHost host;
  std::atomic<uint64_t> accepted = 0;
  std::atomic<uint64_t> refused_connections = 0;

  std::mutex life;  // of start(), drain() and stop()
  std::thread thread;
  bool stopped = false;
};

void HttpServer::State::accept_on(Acceptor& acceptor) {
  acceptor.async_accept([this, &acceptor](const error_code& error, StreamSocket socket) {
    if (acceptor.is_open()) error ? accept_later(acceptor) : accept_on(acceptor);
    if (!error) take(std::move(socket));
  });
}

void HttpServer::State::accept_later(Acceptor& acceptor) {
  const auto pause = std::make_shared<asio::steady_timer>(io, kAcceptPause);
  pause->async_wait([this, &acceptor, pause](const error_code&) {
    if (acceptor.is_open()) accept_on(acceptor);
  });
}

void HttpServer::State::take(StreamSocket socket) {
  ++accepted;
  error_code error;
  const auto peer = socket.remote_endpoint(error);
  if (error) return;  // it left again
  if (peer.protocol().family() != AF_UNIX) {
    socket.set_option(asio::ip::tcp::no_delay(true), error);
  }
  const bool is_over_limit = host.connections.size() >= host.limits.connections;
  if (is_over_limit) {
    ++refused_connections;
    if (host.connections.size() >= host.limits.connections + kRefusedAtOnce) return;
  }
  const auto connection = std::make_shared<Connection>(host, std::move(socket), peer_text(peer));
  host.connections.insert(connection);
  ++host.open_connections;
  if (is_over_limit) return connection->refuse();
  connection->start();
  if (host.draining) connection->drain();
}

// Clients that the system has connected while this thread was busy.
void HttpServer::State::accept_what_waits() {
  for (Acceptor& acceptor : listener.acceptors) {
    error_code error;
    acceptor.non_blocking(true, error);
    while (!error) {
      StreamSocket socket = acceptor.accept(error);
      if (!error) take(std::move(socket));
    }
    acceptor.close(error);
  }
}

void HttpServer::State::drain() {
  accept_what_waits();
  listener.file.remove();
  host.draining = true;
  const auto open = host.connections;
  for (const auto& connection : open) connection->drain();
}

void HttpServer::State::stop() {
  error_code ignored;
  for (Acceptor& acceptor : listener.acceptors) acceptor.close(ignored);
  listener.file.remove();
  const auto open = host.connections;
  for (const auto& connection : open) connection->close();
  work.reset();
}

void HttpServer::State::run() {
  while (true) {
    try {
      io.run();
      return;
    } catch (const std::exception& error) {  // memory that an accept did not get
      log_warning(std::string("the server goes on after: ") + error.what());
    }
  }
}

// Runs it on the loop's thread and returns when it has ended.
void HttpServer::State::run_on_loop(const std::function<void()>& function) {
  std::packaged_task<void()> task(function);
  std::future<void> done = task.get_future();
  asio::post(io, [&] { task(); });
  done.get();
}

HttpServer::HttpServer(const HttpAddress& address, const HttpLimits& limits, HttpHandler& handler)
    : state_(std::make_unique<State>(address, limits, handler)) {}

HttpServer::~HttpServer() {
  stop();
}

std::string HttpServer::address() const {
  return state_->listener.address;
}

uint16_t HttpServer::port() const {
  return state_->listener.port;
}

void HttpServer::start() {
  const std::lock_guard lock(state_->life);
  if (state_->thread.joinable() || state_->stopped) return;
  for (Acceptor& acceptor : state_->listener.acceptors) state_->accept_on(acceptor);
  // Signals are the business of the thread that started the server.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  state_->thread = std::thread([state = state_.get()] { state->run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void HttpServer::drain() {
  const std::lock_guard lock(state_->life);
  if (state_->thread.joinable()) state_->run_on_loop([this] { state_->drain(); });
}

size_t HttpServer::open_exchanges() const {
  return state_->host.open_exchanges.load();
}

void HttpServer::stop() {
  const std::lock_guard lock(state_->life);
  if (state_->stopped) return;
  state_->stopped = true;
  if (state_->thread.joinable()) {
    state_->run_on_loop([this] { state_->stop(); });
    state_->thread.join();
  } else {
    state_->stop();
  }
  state_->host.queue->close();
}

HttpCounts HttpServer::counts() const {
  const ConnectionHost& host = state_->host;
  return {host.open_connections.load(), host.held->used(),
          state_->accepted.load(),      state_->refused_connections.load(),
          host.timeouts.load(),         host.write_timeouts.load(),
          host.bad_requests.load()};
}

}  // namespace m2
