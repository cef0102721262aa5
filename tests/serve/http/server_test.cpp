#include "serve/http/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "serve/http/test_handler.h"

namespace m2 {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;
using testing::SizeIs;

std::string get(const std::string& target, const std::string& lines = "") {
  return "GET " + target + " HTTP/1.1\r\nHost: test\r\n" + lines + "\r\n";
}

std::string post(const std::string& target, const std::string& body,
                 const std::string& lines = "") {
  return "POST " + target +
         " HTTP/1.1\r\nHost: test\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         lines + "\r\n" + body;
}

TEST(HttpServer, AnswersManyRequestsOfOneConnection) {
  TestServer test;
  test.start();
  RawClient client(test.port());
  for (int i = 0; i < 3; ++i) {
    client.send(post("/a?q=" + std::to_string(i), "body"));
    const Reply reply = client.read_reply();
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.body, "POST /a q=" + std::to_string(i) + "\nbody");
    EXPECT_EQ(reply.header("Connection"), "");
  }
  EXPECT_TRUE(client.sees_nothing());
  EXPECT_EQ(test.counts().connections, 1u);
  EXPECT_EQ(test.counts().accepted, 1u);
  EXPECT_TRUE(becomes_true([&] { return test.server->open_exchanges() == 0; }));
}

TEST(HttpServer, TellsOfEachRequest) {
  TestServer test;
  test.start();
  RawClient client(test.port());
  client.send(get("/a"));
  const Reply reply = client.read_reply();
  ASSERT_TRUE(test.handler.hears_of(200));
  ASSERT_THAT(test.handler.told(), SizeIs(1));
  const TestHandler::Told told = test.handler.told()[0];
  EXPECT_EQ(told.path, "/a");
  EXPECT_EQ(told.response_bytes, reply.head.size() + 2 + reply.body.size());
  EXPECT_GT(told.seconds, 0);
  EXPECT_LT(told.seconds, 20);
  EXPECT_THAT(reply.header("x-peer"), MatchesRegex("127\\.0\\.0\\.1:[0-9]+"));
}

TEST(HttpServer, ClosesWhenTheClientWantsIt) {
  TestServer test;
  test.start();
  RawClient client(test.port());
  client.send(get("/a", "Connection: close\r\n"));
  EXPECT_EQ(client.read_reply().header("Connection"), "close");
  EXPECT_TRUE(client.sees_end());
}

TEST(HttpServer, KeepsAConnectionOfHttp10OnlyOnWish) {
  TestServer test;
  test.start();
  RawClient kept(test.port());
  for (int i = 0; i < 2; ++i) {
    kept.send("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_EQ(kept.read_reply().header("Connection"), "keep-alive");
  }
  RawClient client(test.port());
  client.send("GET /a HTTP/1.0\r\n\r\n");
  EXPECT_EQ(client.read_reply().header("Connection"), "close");
  EXPECT_TRUE(client.sees_end());
}

TEST(HttpServer, AnswersPipelinedRequestsInOrderOneAtATime) {
  TestServer test;
  test.start();
  RawClient client(test.port());
  client.send(get("/hold?1") + post("/b", "body") + get("/hold?3") + get("/d"));
  const auto first = test.handler.await_held();
  ASSERT_TRUE(first);
  EXPECT_THAT(test.handler.held(), SizeIs(1));
  EXPECT_FALSE(first->gone());
  EXPECT_TRUE(client.sees_nothing());
  first->respond({200, "text/plain", "first", {}});
  EXPECT_EQ(client.read_reply().body, "first");
  EXPECT_EQ(client.read_reply().body, "POST /b \nbody");
  ASSERT_TRUE(becomes_true([&] { return test.handler.held().size() == 2; }));
  first->respond({200, "text/plain", "first again", {}});
  EXPECT_TRUE(client.sees_nothing());
  test.handler.held()[1]->respond({200, "text/plain", "third", {}});
  EXPECT_EQ(client.read_reply().body, "third");
  EXPECT_EQ(client.read_reply().body, "GET /d \n");
}

// More than the buffer holds: the rest waits in the system's.
TEST(HttpServer, AnswersALongPipeline) {
  TestServer test;
  test.start();
  RawClient client(test.port());
  constexpr int kRequests = 2000;
  std::string all = get("/hold");
  for (int i = 1; i < kRequests; ++i) all += get("/a?" + std::to_string(i));
  ASSERT_GT(all.size(), test.limits.header_bytes * 4);
  client.send(all);
  const auto first = test.handler.await_held();
  ASSERT_TRUE(first);
  first->respond({200, "text/plain", "first", {}});
  EXPECT_EQ(client.read_reply().body, "first");
  for (int i = 1; i < kRequests; ++i) {
    ASSERT_EQ(client.read_reply().body, "GET /a " + std::to_string(i) + "\n");
  }
}

TEST(HttpServer, SendsNoBodyToHead) {
  TestServer test;
  test.start();
  RawClient client(test.port());
  client.send("HEAD /a HTTP/1.1\r\nHost: test\r\n\r\n" + get("/b"));
  const Reply reply = client.read_reply(false);
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.header("Content-Length"), "9");
  EXPECT_EQ(client.read_reply().body, "GET /b \n");
}

TEST(HttpServer, SendsNoBodyWithNoContent) {
  TestServer test;
  test.start();
  RawClient client(test.port());
  client.send(get("/empty") + get("/b"));
  const Reply reply = client.read_reply();
  EXPECT_EQ(reply.status, 204);
  EXPECT_EQ(reply.header("Content-Length"), "");
  EXPECT_EQ(client.read_reply().body, "GET /b \n");
}

TEST(HttpServer, ReadsChunkedBodies) {
  TestServer test;
  test.start();
  RawClient client(test.port());
  client.send(
      "POST /a HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5\r\nhello\r\n");
  client.send("6;x=y\r\n world\r\n0\r\nx-late: 1\r\n\r\n" + get("/b"));
  EXPECT_EQ(client.read_reply().body, "POST /a \nhello world");
  EXPECT_EQ(client.read_reply().body, "GET /b \n");
}

TEST(HttpServer, WritesALargeResponseWhole) {
  TestServer test;
  test.start();
  RawClient client(test.port());
  client.send(get("/large?20000000"));
  EXPECT_EQ(client.read_reply().body, std::string(20000000, 'l'));
}

TEST(HttpServer, AsksForTheBodyWhereTheClientWaits) {
  TestServer test;
  test.limits.body_bytes = 100;
  test.start();
  const std::string expect = "Expect: 100-continue\r\nContent-Length: ";
  const auto head = [&](const std::string& path, const std::string& length) {
    return "POST " + path + " HTTP/1.1\r\nHost: test\r\n" + expect + length + "\r\n\r\n";
  };
  RawClient client(test.port());
  client.send(head("/a", "5"));
  EXPECT_EQ(client.read_reply().status, 100);
  client.send("hello" + get("/b"));
  EXPECT_EQ(client.read_reply().body, "POST /a \nhello");
  EXPECT_EQ(client.read_reply().body, "GET /b \n");
  client.send(head("/a", "5") + "hello");  // does not wait
  EXPECT_EQ(client.read_reply().body, "POST /a \nhello");
  client.send(head("/a", "0"));  // has none
  EXPECT_EQ(client.read_reply().body, "POST /a \n");
  client.send(head("/refused", "5"));
  EXPECT_EQ(client.read_reply().status, 401);
  EXPECT_TRUE(client.sees_end());
  RawClient large(test.port());
  large.send(head("/a", "101"));
  EXPECT_EQ(large.read_reply().status, 413);
  EXPECT_TRUE(large.sees_end());
}

TEST(HttpServer, RefusesWhatItDoesNotKnow) {
  TestServer test;
  test.start();
  const auto status = [&](const std::string& lines) {
    RawClient client(test.port());
    client.send(post("/a", "hello", lines));
    const Reply reply = client.read_reply();
    EXPECT_EQ(reply.header("Connection"), "close");
    EXPECT_TRUE(client.sees_end());
    return reply.status;
  };
  EXPECT_EQ(status("Expect: tea\r\n"), 417);
  EXPECT_EQ(status("Content-Encoding: gzip\r\n"), 415);
  EXPECT_EQ(status("Content-Length: 6\r\n"), 400);
  EXPECT_EQ(status("Transfer-Encoding: chunked\r\n"), 400);
  EXPECT_EQ(status("x: " + std::string(20000, 'x') + "\r\n"), 431);
  EXPECT_EQ(test.counts().bad_requests, 5u);
  EXPECT_TRUE(becomes_true([&] { return test.handler.told().size() == 5; }));
  EXPECT_EQ(test.counts().held_bytes, 0u);
}

// The second of a smuggling pair is never answered.
TEST(HttpServer, ReadsNothingBehindABadRequest) {
  TestServer test;
  test.start();
  RawClient client(test.port());
  client.send(
      "POST /a HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n"
      "\r\n0\r\n\r\n" +
      get("/smuggled"));
  EXPECT_EQ(client.read_reply().status, 400);
  EXPECT_TRUE(client.sees_end());
  for (const TestHandler::Told& told : test.handler.told()) EXPECT_NE(told.path, "/smuggled");
}

TEST(HttpServer, KeepsTheConnectionOfARefusedRequestWithoutABody) {
  TestServer test;
  test.start();
  RawClient client(test.port());
  client.send(get("/refused") + get("/b"));
  EXPECT_EQ(client.read_reply().status, 401);
  EXPECT_EQ(client.read_reply().body, "GET /b \n");
  client.send(post("/refused", "hello") + get("/b"));
  EXPECT_EQ(client.read_reply().status, 401);
  EXPECT_TRUE(client.sees_end());
}

// A client that writes on without reading must find the response, not a reset.
TEST(HttpServer, LetsALargeBodyPassAfterItRefusedIt) {
  TestServer test;
  test.limits.body_bytes = 1000;
  test.start();
  const std::string megabyte(1 << 20, 'x');
  RawClient announced(test.port());
  announced.send("POST /a HTTP/1.1\r\nHost: test\r\nContent-Length: 104857600\r\n\r\n");
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(announced.send(megabyte)) << i;
  EXPECT_EQ(announced.read_reply().status, 413);
  EXPECT_TRUE(announced.sees_end());

  RawClient chunked(test.port());
  chunked.send("POST /a HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(chunked.send("100000\r\n" + megabyte + "\r\n")) << i;
  EXPECT_EQ(chunked.read_reply().status, 413);
  EXPECT_TRUE(chunked.sees_end());
  EXPECT_EQ(test.counts().held_bytes, 0u);
}

TEST(HttpServer, HoldsNoMoreBytesThanItMay) {
  TestServer test;
  test.limits.held_bytes = 1000;
  test.start();
  RawClient first(test.port());
  first.send(post("/hold", std::string(600, 'x')));
  auto held = test.handler.await_held();
  ASSERT_TRUE(held);
  EXPECT_EQ(test.counts().held_bytes, 600u);
  RawClient announced(test.port());
  announced.send("POST /a HTTP/1.1\r\nHost: test\r\nContent-Length: 401\r\n\r\n");
  EXPECT_EQ(announced.read_reply().status, 429);
  EXPECT_TRUE(announced.sees_end());
  RawClient chunked(test.port());
  chunked.send("POST /a HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n191\r\n" +
               std::string(401, 'x'));
  EXPECT_EQ(chunked.read_reply().status, 429);
  EXPECT_TRUE(chunked.sees_end());
  RawClient fits(test.port());
  fits.send(post("/a", std::string(400, 'x')));
  EXPECT_EQ(fits.read_reply().status, 200);

  held->respond({200, "", "", {}});
  EXPECT_EQ(first.read_reply().status, 200);
  held.reset();
  test.handler.forget_held();
  EXPECT_TRUE(becomes_true([&] { return test.counts().held_bytes == 0; }));
  EXPECT_EQ(test.counts().bad_requests, 0u);
}

// A client that leaves gives nothing back while its request is in memory.
TEST(HttpServer, CountsBytesThatAHandlerStillHas) {
  TestServer test;
  test.start();
  RawClient client(test.port());
  client.send(post("/hold", std::string(600, 'x')));
  ASSERT_TRUE(test.handler.await_held());
  client.reset();
  ASSERT_TRUE(test.handler.hears_of(499));
  EXPECT_EQ(test.counts().held_bytes, 600u);
  test.handler.forget_held();
  EXPECT_TRUE(becomes_true([&] { return test.counts().held_bytes == 0; }));
}

TEST(HttpServer, GivesEachRequestAnId) {
  TestServer test;
  test.start();
  RawClient client(test.port());
  const auto id = [&](const std::string& wish) {
    client.send(get("/a", wish.empty() ? "" : "X-Request-Id: " + wish + "\r\n"));
    return client.read_reply().header("x-request-id");
  };
  EXPECT_EQ(id("Abc-1_2.z"), "Abc-1_2.z");
  EXPECT_EQ(id("a b\"<\xc3\xa4{c"), "abc");
  EXPECT_EQ(id(std::string(100, 'x')), std::string(64, 'x'));
  const std::string made = id("");
  EXPECT_THAT(made, MatchesRegex("[0-9a-f]+"));
  EXPECT_THAT(made, SizeIs(16));
  EXPECT_THAT(id("!?"), SizeIs(16));
  EXPECT_NE(id(""), made);
  RawClient bad(test.port());
  bad.send("nonsense\r\n\r\n");
  EXPECT_THAT(bad.read_reply().header("x-request-id"), SizeIs(16));
}

}  // namespace
}  // namespace m2
