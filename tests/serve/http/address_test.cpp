#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "core/error.h"
#include "serve/http/test_handler.h"

namespace m2 {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

const std::string kGet = "GET /a HTTP/1.1\r\nHost: test\r\n\r\n";

// What the error says, or "" when the server listens.
std::string error_of(const HttpAddress& address) {
  TestServer test;
  test.address = address;
  try {
    test.start();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kFailed);
    return error.what();
  }
  return "";
}

TEST(HttpAddress, MayBeIpv6) {
  TestServer test;
  test.address.host = "::1";
  try {
    test.start();
  } catch (const Error& error) {
    GTEST_SKIP() << "no IPv6 here: " << error.what();
  }
  EXPECT_EQ(test.server->address(), "[::1]:" + std::to_string(test.port()));
  RawClient client(test.port(), "::1");
  client.send(kGet);
  EXPECT_THAT(client.read_reply().header("x-peer"), testing::StartsWith("[::1]:"));
}

TEST(HttpAddress, MayBeAName) {
  TestServer test;
  test.address.host = "localhost";
  test.start();
  EXPECT_EQ(test.server->address(), "localhost:" + std::to_string(test.port()));
  EXPECT_TRUE(test.serves());  // at 127.0.0.1, whatever other address the name has
}

TEST(HttpAddress, ThatCannotBeHadIsAnErrorOfOneLine) {
  TestServer test;
  test.start();
  EXPECT_THAT(error_of({"127.0.0.1", test.port(), ""}),
              HasSubstr("cannot listen on 127.0.0.1:" + std::to_string(test.port()) + ": "));
  EXPECT_THAT(error_of({"no-such-host.invalid", 0, ""}), HasSubstr("no address of that name"));
  EXPECT_THAT(error_of({"192.0.2.1", 0, ""}), HasSubstr("give an address of this machine"));
}

// The port of a server that ended is free at once, though its connections are not forgotten.
TEST(HttpAddress, IsFreeAfterTheServer) {
  TestServer first;
  first.start();
  const uint16_t port = first.port();
  RawClient client(port);
  client.send("GET /a HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(client.read_reply().status, 200);
  EXPECT_TRUE(client.sees_end());
  first.server.reset();
  TestServer second;
  second.address.port = port;
  second.start();
  EXPECT_TRUE(second.serves());
}

class UnixAddress : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) / ("m2_http_" + std::to_string(getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string path() const { return (folder_ / "socket").string(); }
  std::string error() const { return error_of({"", 0, path()}); }

  fs::path folder_;
};

TEST_F(UnixAddress, ServesAndIsRemovedAtTheEnd) {
  TestServer test;
  test.address.unix_socket = path();
  test.start();
  EXPECT_EQ(test.server->address(), path());
  EXPECT_EQ(test.port(), 0);
  RawClient client(path());
  client.send(kGet);
  EXPECT_EQ(client.read_reply().header("x-peer"), "unix");
  test.server->stop();
  EXPECT_FALSE(fs::exists(path()));
}

TEST_F(UnixAddress, OfAKilledServerIsTakenOver) {
  {
    TestServer killed;
    killed.address.unix_socket = path();
    killed.start();
    fs::rename(path(), path() + ".kept");  // which it does not find to remove
  }
  fs::rename(path() + ".kept", path());
  ASSERT_TRUE(fs::is_socket(path()));
  EXPECT_EQ(error(), "");
}

TEST_F(UnixAddress, OfALivingServerIsLeftAlone) {
  TestServer living;
  living.address.unix_socket = path();
  living.start();
  EXPECT_THAT(error(), HasSubstr("another server answers there"));
  RawClient client(path());
  client.send(kGet);
  EXPECT_EQ(client.read_reply().status, 200);
}

TEST_F(UnixAddress, MustNotBeAFile) {
  std::ofstream(path()) << "precious";
  EXPECT_THAT(error(), HasSubstr("is no socket"));
  EXPECT_EQ(fs::file_size(path()), 8u);
}

// A server that took the path over in the meantime keeps it.
TEST_F(UnixAddress, OfAnotherServerIsNotRemoved) {
  TestServer first;
  first.address.unix_socket = path();
  first.start();
  fs::rename(path(), path() + ".away");
  TestServer second;
  second.address.unix_socket = path();
  second.start();
  first.server.reset();
  EXPECT_TRUE(fs::exists(path()));
}

TEST_F(UnixAddress, MustFitASocketsName) {
  EXPECT_THAT(error_of({"", 0, std::string(200, 'x')}), HasSubstr("too long"));
}

}  // namespace
}  // namespace m2
