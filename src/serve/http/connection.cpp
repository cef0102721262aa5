#include "serve/http/connection.h"

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/socket_base.hpp>
#include <boost/asio/write.hpp>
#include <exception>
#include <string>
#include <utility>

#include "core/log.h"
#include "serve/http/response_head.h"

namespace m2 {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

constexpr size_t kMinBufferBytes = 16 << 10;
// How long a client may be silent before its connection is closed without its consent.
constexpr std::chrono::milliseconds kLingerSilence{2000};
constexpr std::string_view kContinueResponse = "HTTP/1.1 100 Continue\r\n\r\n";

double seconds_since(ServeClock::time_point begun) {
  return std::chrono::duration<double>(ServeClock::now() - begun).count();
}

}  // namespace

Connection::Connection(ConnectionHost& host, StreamSocket socket, std::string peer)
    : host_(host),
      socket_(std::move(socket)),
      timer_(host.io),
      peer_(std::move(peer)),
      buffer_(std::max(host.limits.header_bytes, kMinBufferBytes)) {}

// Runs a step of the state machine; memory that is not to be had ends this connection alone.
template <class Step>
void Connection::guarded(const Step& step) {
  if (state_ == State::kClosed) return;
  try {
    step();
  } catch (const std::exception& error) {
    log_warning(std::string("a connection was closed: ") + error.what());
    close();
  }
}

void Connection::start() {
  guarded([this] {
    await_request();
    read_on();
  });
}

void Connection::refuse() {
  guarded([this] {
    begin_request();
    fail(503, "the server has as many connections as it may; try again later");
  });
}

// Ends the read that waits, to see whether it has got something. Until then this is a request.
void Connection::drain() {
  if (state_ != State::kIdle) return;
  guarded([this] {
    begin_request();
    error_code ignored;
    socket_.cancel(ignored);
  });
}

void Connection::close() {
  if (state_ == State::kClosed) return;
  const std::shared_ptr<Connection> self = shared_from_this();
  if (exchange_) exchange_->client_left();
  if (reader_) end_request(499, 0);
  state_ = State::kClosed;
  stop_timer();
  error_code ignored;
  socket_.close(ignored);
  host_.connections.erase(self);
  --host_.open_connections;
}

void Connection::read_on() {
  if (reading_ || client_ended_ || state_ == State::kClosed) return;
  if (begin_ > 0) {
    std::copy(buffer_.data() + begin_, buffer_.data() + end_, buffer_.data());
    end_ -= std::exchange(begin_, 0);
  }
  if (end_ == buffer_.size()) return;
  reading_ = true;
  socket_.async_read_some(asio::buffer(buffer_.data() + end_, buffer_.size() - end_),
                          [self = shared_from_this()](const error_code& error, size_t size) {
                            self->guarded([&] { self->on_read(error, size); });
                          });
}

void Connection::on_read(const error_code& error, size_t size) {
  reading_ = false;
  end_ += size;
  if (!error) return advance();
  if (error == asio::error::operation_aborted) return on_read_cancelled();
  client_ended_ = true;
  // A client that has sent all may still read what is being written to it.
  if (state_ != State::kWriting) close();
}

void Connection::on_read_cancelled() {
  error_code error;
  if (unread().empty() && socket_.available(error) == 0) return close();
  read_on();
}

// Goes as far as the bytes that were read allow.
void Connection::advance() {
  if (state_ == State::kIdle && !unread().empty()) begin_request();
  if (state_ == State::kHead) read_head();
  if (state_ == State::kBody) read_body();
  if (state_ == State::kLingering) {
    begin_ = end_ = 0;
    const auto left = linger_end_ - ServeClock::now();
    start_timer(
        std::min(kLingerSilence, std::chrono::duration_cast<std::chrono::milliseconds>(left)));
  }
  read_on();
}

void Connection::await_request() {
  state_ = State::kIdle;
  start_timer(host_.limits.idle_time);
}

void Connection::begin_request() {
  reader_.emplace(host_.limits.header_bytes, host_.limits.body_bytes);
  reader_->request().begun = ServeClock::now();
  reader_->request().peer = peer_;
  reader_->request().id = host_.ids.next({});
  share_.emplace(host_.held);
  taken_ = closes_ = false;
  ++host_.open_exchanges;
  state_ = State::kHead;
  start_timer(host_.limits.header_time);
}

void Connection::read_head() {
  begin_ += reader_->read(unread());
  if (reader_->stage() == RequestReader::Stage::kHead) return;
  if (reader_->stage() == RequestReader::Stage::kFault) {
    return fail(reader_->fault().status, reader_->fault().message);
  }
  take_head();
}

// Decides on a request before its body is read.
void Connection::take_head() {
  HttpRequest& head = reader_->request();
  head.id = host_.ids.next(header_value(head.headers, "x-request-id"));
  std::unique_ptr<HttpResponse> refusal;
  try {
    refusal = host_.handler.refuse(head);
  } catch (const std::exception& error) {
    return fail(500, error.what());
  }
  if (refusal) {
    closes_ = reader_->has_body();
    return write(std::move(*refusal));
  }
  taken_ = true;
  const RequestFault fault =
      body_fault(head.headers, reader_->announced(), host_.limits.body_bytes);
  if (fault) return fail(fault.status, fault.message);
  if (!share_->grow_to(reader_->announced())) {
    return fail(429, "the server holds as many bytes of requests as it may; try again later");
  }
  reader_->reserve_body();
  state_ = State::kBody;
  start_timer(host_.limits.body_time);
  if (reader_->wants_continue() && unread().empty()) write_continue();
}

void Connection::write_continue() {
  state_ = State::kContinue;
  asio::async_write(socket_, asio::buffer(kContinueResponse),
                    [self = shared_from_this()](const error_code& error, size_t) {
                      self->guarded([&] {
                        if (error) return self->close();
                        self->state_ = State::kBody;
                        self->advance();
                      });
                    });
}

void Connection::read_body() {
  begin_ += reader_->read(unread());
  if (reader_->stage() == RequestReader::Stage::kFault) {
    return fail(reader_->fault().status, reader_->fault().message);
  }
  if (!share_->grow_to(reader_->request().body.size())) {
    return fail(429, "the server holds as many bytes of requests as it may; try again later");
  }
  if (reader_->stage() == RequestReader::Stage::kWhole) hand_over();
}

void Connection::hand_over() {
  stop_timer();
  state_ = State::kInHand;
  exchange_ = std::make_shared<PendingExchange>(
      std::move(reader_->request()), std::move(*share_),
      [queue = host_.queue, connection = weak_from_this()](std::shared_ptr<HttpResponse> response) {
        queue->post([connection, response = std::move(response)] {
          if (const auto self = connection.lock()) {
            self->guarded([&] { self->on_response(response.get()); });
          }
        });
      });
  const std::shared_ptr<PendingExchange> exchange = exchange_;
  try {
    host_.handler.handle(PendingExchange::handle_of(exchange));
  } catch (const std::exception& error) {
    log_warning(std::string("a request failed: ") + error.what());
    exchange->give_up();
  }
}

// Of the request in hand: an exchange responds once, and the connection waits for it or closes.
void Connection::on_response(HttpResponse* response) {
  write(response ? std::move(*response)
                 : error_response(500, "the server gave this request no answer"));
}

// Answers what cannot be read or taken; the connection is of no use afterwards.
void Connection::fail(int status, const std::string& message) {
  const bool is_clients_fault = status != 408 && status != 429 && status != 500 && status != 503;
  if (is_clients_fault) ++host_.bad_requests;
  closes_ = true;
  write(error_response(status, message));
}

HttpResponse Connection::error_response(int status, const std::string& message) {
  try {
    return host_.handler.error_response(request(), status, message);
  } catch (const std::exception& error) {
    log_warning(std::string("an error could not be put into words: ") + error.what());
    return {status, "text/plain", message + "\n", {}};
  }
}

void Connection::write(HttpResponse response) {
  closes_ = closes_ || host_.draining || !reader_->keeps_connection();
  response_status_ = response.status;
  response_head_ = response_head(response, {request().id, closes_, reader_->is_http_1_0()});
  response_body_ = std::move(response.body);
  const bool sends_body = request().method != "HEAD" && status_has_body(response.status);
  state_ = State::kWriting;
  start_timer(host_.limits.write_time);
  const std::array<asio::const_buffer, 2> parts = {
      asio::buffer(response_head_),
      sends_body ? asio::buffer(response_body_) : asio::const_buffer()};
  asio::async_write(socket_, parts,
                    [self = shared_from_this()](const error_code& error, size_t size) {
                      self->guarded([&] { self->on_written(error, size); });
                    });
}

void Connection::on_written(const error_code& error, size_t size) {
  if (error) return close();
  end_request(response_status_, size);
  if (client_ended_) return close();
  if (closes_) return linger();
  await_request();
  advance();
  if (host_.draining) drain();
}

// Tells of the request and forgets it.
void Connection::end_request(int status, size_t response_bytes) {
  if (taken_ || state_ == State::kWriting) {
    try {
      host_.handler.on_sent(request(), {status, response_bytes, seconds_since(request().begun)});
    } catch (const std::exception& error) {
      log_warning(std::string("a request could not be told of: ") + error.what());
    }
  }
  exchange_.reset();
  reader_.reset();
  share_.reset();
  response_head_ = {};
  response_body_ = {};
  --host_.open_exchanges;
}

void Connection::linger() {
  state_ = State::kLingering;
  error_code error;
  socket_.shutdown(asio::socket_base::shutdown_send, error);
  if (error) return close();
  linger_end_ = ServeClock::now() + host_.limits.write_time;
  advance();
}

void Connection::start_timer(std::chrono::milliseconds time) {
  stop_timer();
  timer_.expires_after(time);
  timer_.async_wait([self = shared_from_this(), turn = timer_turn_](const error_code& error) {
    if (!error && turn == self->timer_turn_) self->guarded([&] { self->on_timeout(); });
  });
}

void Connection::stop_timer() {
  ++timer_turn_;
  timer_.cancel();
}

void Connection::on_timeout() {
  if (state_ == State::kIdle || state_ == State::kLingering) return close();
  ++host_.timeouts;
  if (state_ == State::kHead) return fail(408, "the request's head took too long to arrive");
  if (state_ == State::kBody) return fail(408, "the request's body took too long to arrive");
  ++host_.write_timeouts;
  // A client that does not read: what it was sent and has not taken is dropped at once.
  error_code ignored;
  socket_.set_option(asio::socket_base::linger(true, 0), ignored);
  close();
}

}  // namespace m2
