// Sockets that listen on an address of the user's choice.
#pragma once

#include <sys/types.h>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "serve/http/server.h"

namespace m2 {

using Acceptor = boost::asio::basic_socket_acceptor<boost::asio::generic::stream_protocol,
                                                    boost::asio::io_context::executor_type>;

// The file of a UNIX socket that this process bound; removed at the end, if it is still that one.
class UnixSocketFile {
 public:
  UnixSocketFile() = default;
  explicit UnixSocketFile(std::string path);
  UnixSocketFile(UnixSocketFile&& other) noexcept;
  UnixSocketFile& operator=(UnixSocketFile&&) = delete;
  ~UnixSocketFile() { remove(); }
  void remove();

 private:
  std::string path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

struct Listener {
  std::vector<Acceptor> acceptors;  // one for each address of the name
  std::string address;              // as HttpServer::address() says
  uint16_t port = 0;
  UnixSocketFile file;
};

// Error(kFailed) as HttpServer's constructor says.
Listener listen_on(boost::asio::io_context& io, const HttpAddress& address);

// The client's end of a connection: "127.0.0.1:51234", "[::1]:51234" or "unix".
std::string peer_text(const boost::asio::generic::stream_protocol::endpoint& endpoint);

}  // namespace m2
