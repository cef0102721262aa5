#include "serve/http/raw_client.h"

#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <thread>

#include "serve/http/message.h"

namespace m2 {

bool becomes_true(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

std::string Reply::header(std::string_view name) const {
  for (size_t line = head.find("\r\n"); line + 2 < head.size();
       line = head.find("\r\n", line + 2)) {
    const size_t colon = head.find(": ", line);
    const size_t end = head.find("\r\n", line + 2);
    if (colon == head.npos || colon > end) continue;
    if (same_token(std::string_view(head).substr(line + 2, colon - line - 2), name)) {
      return head.substr(colon + 2, end - colon - 2);
    }
  }
  return {};
}

RawClient::RawClient(uint16_t port, const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) return;
  socket_ = ::socket(found->ai_family, SOCK_STREAM, 0);
  if (connect(socket_, found->ai_addr, found->ai_addrlen) != 0) close();
  freeaddrinfo(found);
}

RawClient::RawClient(const std::string& unix_socket) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  unix_socket.copy(address.sun_path, sizeof address.sun_path - 1);
  socket_ = ::socket(AF_UNIX, SOCK_STREAM, 0);
  if (connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) close();
}

bool RawClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

bool RawClient::fill() {
  pollfd wait{socket_, POLLIN, 0};
  constexpr int kMilliseconds = std::chrono::milliseconds(kPatience).count();
  if (poll(&wait, 1, kMilliseconds) != 1) {
    failed_ = true;
    return false;
  }
  std::array<char, 65536> bytes{};
  const ssize_t size = recv(socket_, bytes.data(), bytes.size(), 0);
  failed_ = failed_ || size < 0;
  if (size <= 0) return false;
  unread_.append(bytes.data(), static_cast<size_t>(size));
  return true;
}

Reply RawClient::read_reply(bool has_body) {
  Reply reply;
  size_t end = unread_.find("\r\n\r\n");
  while (end == unread_.npos) {
    if (!fill()) return {};
    end = unread_.find("\r\n\r\n");
  }
  reply.head = unread_.substr(0, end + 2);
  unread_.erase(0, end + 4);
  const std::string length = has_body ? reply.header("Content-Length") : "";
  const size_t size = length.empty() ? 0 : std::strtoull(length.c_str(), nullptr, 10);
  while (unread_.size() < size) {
    if (!fill()) return {};
  }
  reply.body = unread_.substr(0, size);
  unread_.erase(0, size);
  reply.status = std::atoi(reply.head.c_str() + reply.head.find(' '));
  return reply;
}

bool RawClient::sees_end() {
  return unread_.empty() && !fill() && !failed_;
}

bool RawClient::sees_nothing() {
  pollfd wait{socket_, POLLIN, 0};
  return unread_.empty() && poll(&wait, 1, 0) == 0;
}

void RawClient::end_sending() {
  shutdown(socket_, SHUT_WR);
}

void RawClient::close() {
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
}

void RawClient::reset() {
  const linger at_once{1, 0};
  setsockopt(socket_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close();
}

}  // namespace m2
