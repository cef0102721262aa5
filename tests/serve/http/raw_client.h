// A client that sends what it is told to, byte for byte.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace m2 {

// A wait that a test gives up; far above what a loaded machine needs.
constexpr std::chrono::seconds kPatience{10};

// Whether it becomes true within kPatience.
bool becomes_true(const std::function<bool()>& condition);

struct Reply {
  int status = 0;  // 0: the connection ended without a whole response
  std::string head;
  std::string body;
  // The value of a header of that name, or empty.
  std::string header(std::string_view name) const;
};

class RawClient {
 public:
  explicit RawClient(uint16_t port, const std::string& host = "127.0.0.1");
  explicit RawClient(const std::string& unix_socket);
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;
  ~RawClient() { close(); }

  bool connected() const { return socket_ >= 0; }
  // Whether all of it went out.
  bool send(std::string_view bytes);
  // The next response; `has_body` is false for one to HEAD.
  Reply read_reply(bool has_body = true);
  // Whether the server closes, in good order, without sending anything more.
  bool sees_end();
  // Whether nothing has arrived, and the connection is open.
  bool sees_nothing();
  void end_sending();
  void close();
  void reset();  // closes with RST

 private:
  bool fill();  // reads on; false: the end, an error or kPatience
  int socket_ = -1;
  bool failed_ = false;
  std::string unread_;
};

}  // namespace m2
