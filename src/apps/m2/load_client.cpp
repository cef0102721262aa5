#include "apps/m2/load_client.h"

#include <algorithm>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <cmath>
#include <functional>
#include <memory>
#include <utility>

#include "core/error.h"
#include "core/text.h"

namespace m2 {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;
using Endpoints = asio::ip::tcp::resolver::results_type;
using Request = http::request<http::string_body>;
using Response = http::response<http::string_body>;

constexpr int kHttp11 = 11;
constexpr uint64_t kMaxAnswerBytes = uint64_t{1} << 30;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

Request request_to(const LoadTarget& target, http::verb method, const std::string& path,
                   const std::string& body) {
  Request request(method, path, kHttp11);
  request.set(http::field::host, target.host);
  request.set(http::field::content_type, "application/json");
  if (!target.api_key.empty()) {
    request.set(http::field::authorization, "Bearer " + target.api_key);
  }
  request.body() = body;
  request.prepare_payload();
  return request;
}

Endpoints resolve(asio::io_context& io, const LoadTarget& target) {
  error_code problem;
  asio::ip::tcp::resolver resolver(io);
  const auto endpoints = resolver.resolve(target.host, target.port, problem);
  if (problem) {
    throw failed_error(concat(target.host, ":", target.port, ": ", problem.message()));
  }
  return endpoints;
}

// One connection with at most one request in hand.
class LoadConnection : public std::enable_shared_from_this<LoadConnection> {
 public:
  // status 0: broken
  using Done =
      std::function<void(const std::shared_ptr<LoadConnection>&, int status, double seconds)>;

  LoadConnection(asio::io_context& io, const Endpoints& endpoints, Done done)
      : stream_(io), endpoints_(endpoints), done_(std::move(done)) {
    stream_.expires_never();
  }

  void send(const Request& request) {
    begun_ = Clock::now();
    request_ = request;
    response_.emplace();
    response_->body_limit(kMaxAnswerBytes);
    if (open_) return write();
    stream_.async_connect(endpoints_, [self = shared_from_this()](error_code problem, const auto&) {
      if (problem) return self->end(0);
      error_code ignored;
      self->stream_.socket().set_option(asio::ip::tcp::no_delay(true), ignored);
      self->open_ = true;
      self->write();
    });
  }

 private:
  void write() {
    http::async_write(stream_, request_, [self = shared_from_this()](error_code problem, size_t) {
      if (problem) return self->end(0);
      http::async_read(self->stream_, self->buffer_, *self->response_,
                       [self](error_code failed, size_t) {
                         self->end(failed ? 0 : self->response_->get().result_int());
                       });
    });
  }

  void end(unsigned status) {
    const double seconds = seconds_since(begun_);
    open_ = open_ && status != 0 && response_->get().keep_alive();
    if (!open_) {
      buffer_.clear();
      stream_.close();
    }
    done_(shared_from_this(), static_cast<int>(status), seconds);
  }

  beast::tcp_stream stream_;
  const Endpoints& endpoints_;
  Done done_;
  Request request_;
  std::optional<http::response_parser<http::string_body>> response_;
  beast::flat_buffer buffer_;
  Clock::time_point begun_;
  bool open_ = false;
};

class Load {
 public:
  Load(const LoadTarget& target, const LoadPlan& plan)
      : plan_(plan), endpoints_(resolve(io_, target)), timer_(io_) {
    for (const std::string& body : plan.bodies) {
      requests_.push_back(request_to(target, http::verb::post, target.path, body));
    }
  }

  LoadResult run() {
    begun_ = Clock::now();
    if (plan_.rate > 0) {
      arrive();
    } else {
      for (size_t i = 0; i < plan_.clients; ++i) begin_one();
    }
    io_.run();
    result_.whole_seconds = seconds_since(begun_);
    return std::move(result_);
  }

 private:
  bool time_left() const { return seconds_since(begun_) < plan_.seconds; }

  void begin_one() {
    std::shared_ptr<LoadConnection> connection;
    if (idle_.empty()) {
      connection = std::make_shared<LoadConnection>(
          io_, endpoints_,
          [this](const auto& self, int status, double seconds) { note(self, status, seconds); });
    } else {
      connection = std::move(idle_.back());
      idle_.pop_back();
    }
    result_.most_open = std::max(result_.most_open, ++open_);
    connection->send(requests_[begun_requests_++ % requests_.size()]);
  }

  // Begins what is due by now, and comes back when the next one is.
  void arrive() {
    if (!time_left()) return idle_.clear();
    while (static_cast<double>(begun_requests_) <= seconds_since(begun_) * plan_.rate) begin_one();
    const auto due =
        std::chrono::duration<double>(static_cast<double>(begun_requests_) / plan_.rate);
    timer_.expires_at(begun_ + std::chrono::duration_cast<Clock::duration>(due));
    timer_.async_wait([this](error_code) { arrive(); });
  }

  void note(const std::shared_ptr<LoadConnection>& connection, int status, double seconds) {
    --open_;
    if (status == 0) {
      ++result_.broken;
    } else {
      ++result_.statuses[status];
      if (status == 200) result_.seconds.push_back(seconds);
    }
    if (!time_left()) return;
    if (status != 0 || plan_.rate <= 0) idle_.push_back(connection);
    if (plan_.rate > 0) return;
    if (status != 0) return begin_one();
    // A server that cannot be reached is not asked without pause.
    const auto pause = std::make_shared<asio::steady_timer>(io_, std::chrono::milliseconds(100));
    pause->async_wait([this, pause](error_code) {
      if (time_left()) begin_one();
    });
  }

  const LoadPlan& plan_;
  asio::io_context io_;
  const Endpoints endpoints_;
  asio::steady_timer timer_;
  std::vector<Request> requests_;
  std::vector<std::shared_ptr<LoadConnection>> idle_;
  size_t begun_requests_ = 0, open_ = 0;
  Clock::time_point begun_;
  LoadResult result_;
};

}  // namespace

LoadTarget parse_target(const std::string& url) {
  constexpr std::string_view kScheme = "http://";
  std::string_view rest = url;
  const auto refuse = [&](const char* why) {
    return usage_error(concat(printable(url), ": ", why, "; write http://HOST:PORT"));
  };
  if (!rest.starts_with(kScheme)) throw refuse("is no http:// address");
  rest.remove_prefix(kScheme.size());
  if (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.find('/') != rest.npos) throw refuse("has a path");
  LoadTarget target;
  const size_t colon = rest.rfind(':');
  const bool port = colon != rest.npos && !rest.ends_with(']');
  target.host = rest.substr(0, port ? colon : rest.npos);
  target.port = port ? std::string(rest.substr(colon + 1)) : "80";
  if (target.host.starts_with('[') && target.host.ends_with(']')) {
    target.host = target.host.substr(1, target.host.size() - 2);
  }
  if (target.host.empty() || target.port.empty()) throw refuse("has no host or no port");
  return target;
}

LoadResult put_load(const LoadTarget& target, const LoadPlan& plan) {
  M2_CHECK(!plan.bodies.empty());
  LoadResult result = Load(target, plan).run();
  if (result.statuses.empty()) {
    throw failed_error(
        concat("http://", target.host, ":", target.port, ": no answer from a server"));
  }
  return result;
}

Fetched fetch(const LoadTarget& target, const std::string& method, const std::string& path,
              const std::string& body) {
  const std::string where = concat("http://", target.host, ":", target.port, path);
  asio::io_context io;
  const Endpoints endpoints = resolve(io, target);
  beast::tcp_stream stream(io);
  http::response_parser<http::string_body> response;
  response.body_limit(kMaxAnswerBytes);
  beast::flat_buffer buffer;
  try {
    stream.connect(endpoints);
    http::write(stream, request_to(target, http::string_to_verb(method), path, body));
    http::read(stream, buffer, response);
  } catch (const boost::system::system_error& error) {
    throw failed_error(concat(where, ": ", error.code().message()));
  }
  return {static_cast<int>(response.get().result_int()), std::move(response.get().body())};
}

}  // namespace m2
