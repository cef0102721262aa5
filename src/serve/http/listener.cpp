#include "serve/http/listener.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "core/error.h"
#include "core/text.h"

namespace m2 {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using Endpoint = asio::generic::stream_protocol::endpoint;

namespace {

std::string host_and_port(const std::string& host, uint16_t port) {
  const bool is_ipv6 = host.find(':') != host.npos;
  return (is_ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

// Of an address of the internet.
uint16_t port_of(const Endpoint& endpoint) {
  if (endpoint.protocol().family() == AF_INET6) {
    sockaddr_in6 address{};
    std::memcpy(&address, endpoint.data(), sizeof address);
    return ntohs(address.sin6_port);
  }
  sockaddr_in address{};
  std::memcpy(&address, endpoint.data(), sizeof address);
  return ntohs(address.sin_port);
}

Error cannot_listen(const std::string& where, const std::string& why) {
  return failed_error("cannot listen on " + printable(where) + ": " + why);
}

// Listens, or says why not.
error_code open_acceptor(Acceptor& acceptor, const Endpoint& endpoint) {
  error_code error;
  acceptor.open(endpoint.protocol(), error);
  // A server that starts again finds its port in TIME_WAIT.
  if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  return error;
}

// Of a name's addresses this machine may lack one (IPv6 switched off).
bool is_absent_address(const error_code& error) {
  return error == asio::error::address_family_not_supported || error.value() == EADDRNOTAVAIL;
}

Listener listen_on_tcp(asio::io_context& io, const HttpAddress& address) {
  std::string host = address.host;
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const std::string where = host_and_port(host, address.port);
  error_code error;
  tcp::resolver resolver(io);
  const auto found =
      resolver.resolve(host, "0", tcp::resolver::passive | tcp::resolver::numeric_service, error);
  if (error || found.empty()) {
    throw cannot_listen(where, "no address of that name is known; give one of this machine");
  }
  Listener listener;
  listener.port = address.port;
  error_code last;
  for (const auto& entry : found) {
    Acceptor acceptor(io);
    error = open_acceptor(acceptor, tcp::endpoint(entry.endpoint().address(), listener.port));
    if (is_absent_address(error)) {
      last = error;
      continue;
    }
    if (error) throw cannot_listen(where, error.message() + "; choose another port or address");
    // The other addresses get the port of the first.
    if (listener.port == 0) listener.port = port_of(acceptor.local_endpoint());
    listener.acceptors.push_back(std::move(acceptor));
  }
  if (listener.acceptors.empty()) {
    throw cannot_listen(where, last.message() + "; give an address of this machine");
  }
  listener.address = host_and_port(host, listener.port);
  return listener;
}

// Whether nothing listens on the socket file any more.
bool is_stale(const Endpoint& endpoint) {
  const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (probe < 0) return false;
  const bool refused =
      connect(probe, endpoint.data(), static_cast<socklen_t>(endpoint.size())) != 0 &&
      errno == ECONNREFUSED;
  ::close(probe);
  return refused;
}

// Clears the way for a socket file: the one that a killed server left.
void remove_stale_socket(const std::string& path, const Endpoint& endpoint) {
  struct stat status{};
  if (lstat(path.c_str(), &status) != 0) return;
  if (!S_ISSOCK(status.st_mode)) {
    throw cannot_listen(path, "the file exists and is no socket; choose another path");
  }
  if (!is_stale(endpoint)) {
    throw cannot_listen(path, "another server answers there; stop it or choose another path");
  }
  unlink(path.c_str());
}

Listener listen_on_unix(asio::io_context& io, const std::string& path) {
  std::optional<asio::local::stream_protocol::endpoint> endpoint;
  try {
    endpoint.emplace(path);
  } catch (const boost::system::system_error&) {
    throw cannot_listen(path, "the path is too long for a socket; choose a shorter one");
  }
  remove_stale_socket(path, *endpoint);
  Acceptor acceptor(io);
  if (const error_code error = open_acceptor(acceptor, *endpoint)) {
    throw cannot_listen(path, error.message() + "; choose another path");
  }
  Listener listener{{}, path, 0, UnixSocketFile(path)};
  listener.acceptors.push_back(std::move(acceptor));
  return listener;
}

}  // namespace

UnixSocketFile::UnixSocketFile(std::string path) : path_(std::move(path)) {
  struct stat status{};
  if (lstat(path_.c_str(), &status) == 0) {
    device_ = status.st_dev;
    inode_ = status.st_ino;
  }
}

UnixSocketFile::UnixSocketFile(UnixSocketFile&& other) noexcept
    : path_(std::exchange(other.path_, {})), device_(other.device_), inode_(other.inode_) {}

void UnixSocketFile::remove() {
  struct stat status{};
  if (path_.empty() || lstat(path_.c_str(), &status) != 0) return;
  if (status.st_dev == device_ && status.st_ino == inode_) unlink(path_.c_str());
  path_.clear();
}

Listener listen_on(asio::io_context& io, const HttpAddress& address) {
  return address.unix_socket.empty() ? listen_on_tcp(io, address)
                                     : listen_on_unix(io, address.unix_socket);
}

std::string peer_text(const Endpoint& endpoint) {
  if (endpoint.protocol().family() == AF_UNIX) return "unix";
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> port{};
  if (getnameinfo(endpoint.data(), static_cast<socklen_t>(endpoint.size()), host.data(),
                  host.size(), port.data(), port.size(), NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return "unknown";
  }
  const std::string text = host.data();
  return (text.find(':') == text.npos ? text : "[" + text + "]") + ":" + port.data();
}

}  // namespace m2
