// Asio's loop as other threads may use it, and its sockets of any family.
#pragma once

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <functional>
#include <mutex>
#include <utility>

namespace m2 {

using StreamSocket = boost::asio::basic_stream_socket<boost::asio::generic::stream_protocol,
                                                      boost::asio::io_context::executor_type>;

// Hands functions to the thread that runs the loop, until the loop is closed; then it drops them.
// Outlives the loop.
class IoQueue {
 public:
  explicit IoQueue(boost::asio::io_context& io) : io_(&io) {}

  void post(std::function<void()> function) {
    const std::lock_guard lock(mutex_);
    if (io_ != nullptr) boost::asio::post(*io_, std::move(function));
  }

  void close() {
    const std::lock_guard lock(mutex_);
    io_ = nullptr;
  }

 private:
  std::mutex mutex_;
  boost::asio::io_context* io_;
};

}  // namespace m2
