#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "serve/http/server.h"
#include "serve/http/test_handler.h"

namespace m2 {
namespace {

using std::chrono::milliseconds;
using testing::IsEmpty;
using testing::SizeIs;

const std::string kGet = "GET /a HTTP/1.1\r\nHost: test\r\n\r\n";
const std::string kHold = "GET /hold HTTP/1.1\r\nHost: test\r\n\r\n";

// Sends a byte every few milliseconds. Whether the server has had enough before the end.
bool drip(RawClient& client, const std::string& bytes) {
  for (const char c : bytes) {
    if (!client.sees_nothing() || !client.send({&c, 1})) return true;
    std::this_thread::sleep_for(milliseconds(5));
  }
  return false;
}

TEST(HttpServerTime, ClosesAClientThatSendsNothing) {
  TestServer test;
  test.limits.idle_time = milliseconds(30);
  test.start();
  RawClient client(test.port());
  EXPECT_TRUE(client.sees_end());
  EXPECT_EQ(test.counts().timeouts, 0u);
  EXPECT_THAT(test.handler.told(), IsEmpty());
}

TEST(HttpServerTime, ClosesAKeptConnectionThatIsIdle) {
  TestServer test;
  test.limits.idle_time = milliseconds(30);
  test.start();
  RawClient client(test.port());
  client.send(kGet);
  EXPECT_EQ(client.read_reply().status, 200);
  EXPECT_TRUE(client.sees_end());
}

// The time runs from the first byte: a steady drip gains nothing.
TEST(HttpServerTime, EndsAHeadThatDrips) {
  TestServer test;
  test.limits.header_time = milliseconds(100);
  test.start();
  RawClient client(test.port());
  EXPECT_TRUE(drip(client, "GET /a HTTP/1.1\r\nHost: test\r\nx: " + std::string(2000, 'x')));
  const Reply reply = client.read_reply();
  EXPECT_EQ(reply.status, 408);
  EXPECT_EQ(reply.header("Connection"), "close");
  EXPECT_TRUE(client.sees_end());
  EXPECT_EQ(test.counts().timeouts, 1u);
  EXPECT_TRUE(test.serves());
}

TEST(HttpServerTime, EndsABodyThatDrips) {
  TestServer test;
  test.limits.body_time = milliseconds(100);
  test.start();
  RawClient client(test.port());
  client.send("POST /a HTTP/1.1\r\nHost: test\r\nContent-Length: 10000\r\n\r\n");
  EXPECT_TRUE(drip(client, std::string(2000, 'x')));
  EXPECT_EQ(client.read_reply().status, 408);
  EXPECT_TRUE(client.sees_end());
  EXPECT_EQ(test.counts().timeouts, 1u);
  EXPECT_TRUE(becomes_true([&] { return test.counts().held_bytes == 0; }));
}

TEST(HttpServerTime, LetsAHandlerTakeItsTime) {
  TestServer test;
  test.limits.header_time = test.limits.body_time = milliseconds(20);
  test.limits.idle_time = test.limits.write_time = milliseconds(20);
  test.start();
  RawClient client(test.port());
  client.send(kHold);
  const auto held = test.handler.await_held();
  ASSERT_TRUE(held);
  std::this_thread::sleep_for(milliseconds(100));
  EXPECT_FALSE(held->gone());
  held->respond({200, "text/plain", "late", {}});
  EXPECT_EQ(client.read_reply().body, "late");
}

TEST(HttpServerTime, ClosesAClientThatNeverReads) {
  TestServer test;
  test.limits.write_time = milliseconds(100);
  test.start();
  RawClient client(test.port());
  client.send("GET /large?100000000 HTTP/1.1\r\nHost: test\r\n\r\n");
  ASSERT_TRUE(test.handler.hears_of(499));
  EXPECT_TRUE(becomes_true([&] { return test.counts().connections == 0; }));
  EXPECT_EQ(test.counts().timeouts, 1u);
  EXPECT_EQ(test.server->open_exchanges(), 0u);
  EXPECT_TRUE(test.serves());
}

TEST(HttpServerClient, IsSeenToLeaveWhileItWaits) {
  TestServer test;
  test.start();
  const auto leaves = [&](const std::function<void(RawClient&)>& leave) {
    test.handler.forget_held();
    const size_t told = test.handler.told().size();
    RawClient client(test.port());
    client.send(kHold);
    const auto held = test.handler.await_held();
    ASSERT_TRUE(held);
    EXPECT_EQ(test.server->open_exchanges(), 1u);
    EXPECT_FALSE(held->gone());
    leave(client);
    ASSERT_TRUE(becomes_true([&] { return held->gone(); }));
    ASSERT_TRUE(becomes_true([&] { return test.handler.told().size() == told + 1; }));
    EXPECT_EQ(test.handler.told().back().status, 499);
    EXPECT_TRUE(becomes_true([&] { return test.counts().connections == 0; }));
    EXPECT_EQ(test.server->open_exchanges(), 0u);
    held->respond({});
  };
  leaves([](RawClient& client) { client.close(); });
  leaves([](RawClient& client) { client.reset(); });
  leaves([](RawClient& client) { client.end_sending(); });
}

TEST(HttpServerClient, StaysWhileItPipelines) {
  TestServer test;
  test.start();
  RawClient client(test.port());
  client.send(kHold);
  const auto held = test.handler.await_held();
  ASSERT_TRUE(held);
  client.send(kGet);
  EXPECT_TRUE(test.serves());  // by then the bytes were read
  EXPECT_FALSE(held->gone());
  held->respond({200, "text/plain", "first", {}});
  EXPECT_EQ(client.read_reply().body, "first");
  EXPECT_EQ(client.read_reply().body, "GET /a \n");
}

TEST(HttpServerClient, MayEndItsSideAfterARequestThatIsAnsweredAtOnce) {
  TestServer test;
  test.start();
  RawClient client(test.port());
  client.send(kGet);
  client.end_sending();
  EXPECT_EQ(client.read_reply().status, 200);
  EXPECT_TRUE(client.sees_end());
}

TEST(HttpServerClient, LeavesInTheMiddleOfAHeadOrABody) {
  TestServer test;
  test.start();
  RawClient head(test.port());
  head.send("GET /a HT");
  head.end_sending();
  EXPECT_TRUE(head.sees_end());
  EXPECT_THAT(test.handler.told(), IsEmpty());
  RawClient body(test.port());
  body.send("POST /a HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\nhello");
  body.end_sending();
  EXPECT_TRUE(body.sees_end());
  EXPECT_TRUE(test.handler.hears_of(499));
  EXPECT_EQ(test.counts().held_bytes, 0u);
}

TEST(HttpServerHandler, RespondsOnceFromAnyThread) {
  TestServer test;
  test.start();
  RawClient client(test.port());
  client.send(kHold);
  const auto held = test.handler.await_held();
  ASSERT_TRUE(held);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] { held->respond({200, "text/plain", "once", {}}); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(client.read_reply().body, "once");
  client.send(kGet);
  EXPECT_EQ(client.read_reply().body, "GET /a \n");
  held->respond({200, "text/plain", "twice", {}});
  client.send(kGet);
  EXPECT_EQ(client.read_reply().body, "GET /a \n");
}

TEST(HttpServerHandler, MayFail) {
  TestServer test;
  test.start();
  RawClient client(test.port());
  for (const char* path : {"/throw", "/drop", "/throw"}) {
    client.send("GET " + std::string(path) + " HTTP/1.1\r\nHost: test\r\n\r\n");
    EXPECT_EQ(client.read_reply().status, 500) << path;
  }
  client.send("GET /throw-early HTTP/1.1\r\nHost: test\r\n\r\n");
  EXPECT_EQ(client.read_reply().status, 500);
  EXPECT_TRUE(client.sees_end());
  EXPECT_TRUE(test.serves());
}

TEST(HttpServerHandler, LosesNoRequestWithoutAnAnswer) {
  TestServer test;
  test.start();
  RawClient client(test.port());
  client.send(kHold);
  ASSERT_TRUE(test.handler.await_held());
  test.handler.forget_held();
  EXPECT_EQ(client.read_reply().status, 500);
}

TEST(HttpServerLife, RefusesConnectionsAboveTheLimit) {
  TestServer test;
  test.limits.connections = 2;
  test.start();
  RawClient first(test.port());
  RawClient second(test.port());
  first.send(kGet);
  second.send(kGet);
  EXPECT_EQ(first.read_reply().status, 200);
  EXPECT_EQ(second.read_reply().status, 200);
  RawClient third(test.port());
  const Reply reply = third.read_reply();
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(reply.header("Connection"), "close");
  EXPECT_TRUE(third.sees_end());
  EXPECT_EQ(test.counts().refused_connections, 1u);
  third.close();
  first.close();
  EXPECT_TRUE(becomes_true([&] { return test.counts().connections == 1; }));
  EXPECT_TRUE(test.serves());
}

TEST(HttpServerLife, DrainsWhatIsInHand) {
  TestServer test;
  test.start();
  RawClient idle(test.port());
  idle.send(kGet);
  EXPECT_EQ(idle.read_reply().status, 200);
  RawClient waiting(test.port());
  waiting.send(kHold);
  const auto held = test.handler.await_held();
  ASSERT_TRUE(held);
  RawClient reading(test.port());
  reading.send("POST /a HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhe");
  ASSERT_TRUE(becomes_true([&] { return test.server->open_exchanges() == 2; }));

  test.server->drain();
  EXPECT_TRUE(idle.sees_end());
  EXPECT_FALSE(RawClient(test.port()).connected());
  EXPECT_EQ(test.server->open_exchanges(), 2u);
  EXPECT_FALSE(held->gone());
  reading.send("llo");
  Reply reply = reading.read_reply();
  EXPECT_EQ(reply.body, "POST /a \nhello");
  EXPECT_EQ(reply.header("Connection"), "close");
  EXPECT_TRUE(reading.sees_end());
  held->respond({200, "text/plain", "late", {}});
  reply = waiting.read_reply();
  EXPECT_EQ(reply.body, "late");
  EXPECT_EQ(reply.header("Connection"), "close");
  EXPECT_TRUE(becomes_true([&] { return test.server->open_exchanges() == 0; }));
  test.server->stop();
}

// What reached the machine before drain() has its answer, also while the loop was busy.
TEST(HttpServerLife, DrainLosesNoRequestThatArrived) {
  for (int round = 0; round < 20; ++round) {
    TestServer test;
    test.start();
    RawClient kept(test.port());
    kept.send(kGet);
    ASSERT_EQ(kept.read_reply().status, 200);
    RawClient fresh(test.port());
    kept.send(kGet);
    fresh.send(kGet);
    test.server->drain();
    EXPECT_EQ(kept.read_reply().status, 200);
    EXPECT_EQ(fresh.read_reply().status, 200);
  }
}

TEST(HttpServerLife, StopGivesUpWhatIsInHand) {
  TestServer test;
  test.start();
  RawClient waiting(test.port());
  waiting.send(kHold);
  const auto held = test.handler.await_held();
  ASSERT_TRUE(held);
  test.server->stop();
  EXPECT_TRUE(held->gone());
  ASSERT_THAT(test.handler.told(), SizeIs(1));
  EXPECT_EQ(test.handler.told()[0].status, 499);
  EXPECT_EQ(waiting.read_reply().status, 0);
  EXPECT_EQ(test.counts().connections, 0u);
  test.server->stop();
  test.server->drain();
}

TEST(HttpServerLife, AnExchangeOutlivesTheServer) {
  TestServer test;
  test.start();
  RawClient waiting(test.port());
  waiting.send("POST /hold HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhello");
  auto held = test.handler.await_held();
  ASSERT_TRUE(held);
  test.handler.forget_held();
  test.server.reset();
  EXPECT_TRUE(held->gone());
  EXPECT_EQ(held->request().body, "hello");
  held->respond({});
  held.reset();
}

// Responses that are on their way when the server ends reach no one and harm nothing.
TEST(HttpServerLife, StopsUnderLoad) {
  for (int round = 0; round < 10; ++round) {
    TestServer test;
    test.start();
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) {
      threads.emplace_back([port = test.port()] {
        while (true) {
          RawClient client(port);
          if (!client.send(kHold) || client.read_reply().status == 0) return;
        }
      });
    }
    std::atomic<bool> ends = false;
    threads.emplace_back([&] {
      while (!ends) {
        for (const auto& held : test.handler.held()) held->respond({});
        test.handler.forget_held();
      }
    });
    std::this_thread::sleep_for(milliseconds(10));
    test.server->stop();
    ends = true;
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(test.counts().connections, 0u);
    EXPECT_EQ(test.server->open_exchanges(), 0u);
  }
}

TEST(HttpServerLife, MayNeverStart) {
  TestServer test;
  const HttpServer server(test.address, test.limits, test.handler);
  EXPECT_NE(server.port(), 0);
  EXPECT_EQ(server.address(), "127.0.0.1:" + std::to_string(server.port()));
}

// Random bytes, cut and ended anywhere, and the server goes on serving.
TEST(HttpServerLife, SurvivesRandomClients) {
  TestServer test;
  test.limits.body_bytes = 5000;
  test.limits.held_bytes = 20000;
  test.limits.header_time = test.limits.body_time = milliseconds(50);
  test.start();
  const std::string seeds[] = {
      kGet, "POST /a HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhello" + kGet,
      "POST /a HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
      "POST /refused HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: "
      "5\r\n\r\nhello"};
  std::mt19937 random(11);
  const auto below = [&](size_t n) { return static_cast<size_t>(random()) % n; };
  for (int round = 0; round < 600; ++round) {
    RawClient client(test.port());
    std::string bytes = seeds[below(4)] + seeds[below(4)];
    for (size_t edits = below(4); edits > 0; --edits) {
      bytes[below(bytes.size())] = static_cast<char>(random());
    }
    bytes.resize(below(bytes.size() + 1));
    const size_t cut = below(bytes.size() + 1);
    client.send(bytes.substr(0, cut));
    if (below(2) == 0) client.sees_nothing();
    client.send(bytes.substr(cut));
    if (below(3) == 0) client.reset();
  }
  EXPECT_TRUE(test.serves());
  EXPECT_TRUE(becomes_true([&] { return test.counts().connections == 0; }));
  EXPECT_EQ(test.server->open_exchanges(), 0u);
  EXPECT_EQ(test.counts().held_bytes, 0u);
}

}  // namespace
}  // namespace m2
