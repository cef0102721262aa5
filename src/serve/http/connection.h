// One client's connection: its requests one after the other, within time and size.
#pragma once

#include <atomic>
#include <boost/asio/basic_waitable_timer.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "serve/http/io_queue.h"
#include "serve/http/pending_exchange.h"
#include "serve/http/request_id.h"
#include "serve/http/request_reader.h"
#include "serve/http/server.h"

namespace m2 {

class Connection;

// What the connections of a server share. All but the counters is the loop's thread's.
struct ConnectionHost {
  boost::asio::io_context& io;
  const HttpLimits limits;
  HttpHandler& handler;
  const std::shared_ptr<IoQueue> queue;
  const std::shared_ptr<ByteBudget> held;
  RequestIds ids;
  bool draining = false;
  std::unordered_set<std::shared_ptr<Connection>> connections;  // those that are open

  std::atomic<size_t> open_connections = 0;
  std::atomic<size_t> open_exchanges = 0;
  std::atomic<uint64_t> timeouts = 0;
  std::atomic<uint64_t> write_timeouts = 0;
  std::atomic<uint64_t> bad_requests = 0;
};

// A state machine on the loop's thread: bytes that arrive, a response, the end of a write or of a
// time move it on. One read is always under way while the buffer has room, whatever the state: so
// the end of the client's bytes is seen at once.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(ConnectionHost& host, StreamSocket socket, std::string peer);

  // Each of them at most once, as the first: serves, or answers 503 and closes.
  void start();
  void refuse();

  // Closes it if it waits for a request and nothing of that has reached this machine.
  void drain();
  // Gives up what is under way.
  void close();

 private:
  enum class State {
    kIdle,       // before the first byte of a request
    kHead,       // reads it
    kContinue,   // writes "100 Continue"
    kBody,       // reads it
    kInHand,     // the handler has it
    kWriting,    // the response
    kLingering,  // all was sent; waits for the client to close, so that it reads that in peace
    kClosed
  };

  std::string_view unread() const { return {buffer_.data() + begin_, end_ - begin_}; }
  const HttpRequest& request() { return exchange_ ? exchange_->request() : reader_->request(); }

  void advance();
  void read_on();
  void on_read(const boost::system::error_code& error, size_t size);
  void on_read_cancelled();

  void await_request();
  void begin_request();
  void read_head();
  void take_head();
  void read_body();
  void write_continue();
  void hand_over();
  void on_response(HttpResponse* response);  // null: there is none
  void fail(int status, const std::string& message);
  HttpResponse error_response(int status, const std::string& message);
  void write(HttpResponse response);
  void on_written(const boost::system::error_code& error, size_t size);
  void end_request(int status, size_t response_bytes);
  void linger();

  void start_timer(std::chrono::milliseconds time);
  void stop_timer();
  void on_timeout();

  template <class Step>
  void guarded(const Step& step);

  ConnectionHost& host_;
  StreamSocket socket_;
  boost::asio::basic_waitable_timer<ServeClock, boost::asio::wait_traits<ServeClock>,
                                    boost::asio::io_context::executor_type>
      timer_;
  uint64_t timer_turn_ = 0;  // tells the timer's end from that of one that was stopped too late
  const std::string peer_;

  State state_ = State::kIdle;
  std::vector<char> buffer_;
  size_t begin_ = 0;  // of what was read and not used
  size_t end_ = 0;
  bool reading_ = false;
  bool client_ended_ = false;

  std::optional<RequestReader> reader_;
  std::optional<BudgetShare> share_;           // until the exchange has it
  std::shared_ptr<PendingExchange> exchange_;  // from kInHand on
  bool taken_ = false;                         // refuse() let it through
  bool closes_ = false;                        // after this response

  std::string response_head_;
  std::string response_body_;
  int response_status_ = 0;
  ServeClock::time_point linger_end_;
};

}  // namespace m2
