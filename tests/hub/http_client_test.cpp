// How it meets servers is tested by tests/apps/m2/hub_transfer_test.py.
#include "hub/http_client.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace m2 {
namespace {

TEST(Url, Escape) {
  EXPECT_EQ(url_escape("refs/pr/7", false), "refs%2Fpr%2F7");
  EXPECT_EQ(url_escape("refs/pr/7", true), "refs/pr/7");
  EXPECT_EQ(url_escape("a b?c#d%e&f", true), "a%20b%3Fc%23d%25e%26f");
  EXPECT_EQ(url_escape("-._~Az09", true), "-._~Az09");
  EXPECT_EQ(url_escape("ü", true), "%C3%BC");
}

TEST(Url, OriginTellsHostsApart) {
  EXPECT_EQ(url_origin("https://huggingface.co/a/b?c"), "https://huggingface.co");
  EXPECT_EQ(url_origin("https://HuggingFace.co:443/"), "https://huggingface.co");
  EXPECT_EQ(url_origin("http://huggingface.co:80"), "http://huggingface.co");
  EXPECT_EQ(url_origin("http://127.0.0.1:8080/x"), "http://127.0.0.1:8080");
  EXPECT_EQ(url_origin("https://user:secret@host/x"), "https://host");
  EXPECT_EQ(url_origin("https://huggingface.co@evil.org/x"), "https://evil.org");
  EXPECT_NE(url_origin("http://huggingface.co"), url_origin("https://huggingface.co"));
  EXPECT_NE(url_origin("https://huggingface.co:444"), url_origin("https://huggingface.co"));
  EXPECT_NE(url_origin("https://cdn.huggingface.co"), url_origin("https://huggingface.co"));
}

TEST(Url, WhatIsNoAddressHasNoOrigin) {
  for (const char* url :
       {"", "huggingface.co", "/path", "ftp://host/x", "file:///etc/passwd", "https://"}) {
    EXPECT_EQ(url_origin(url), "") << url;
  }
}

class NoSink final : public BodySink {
 public:
  uint64_t offset() const override { return 0; }
  void restart() override {}
  void write(std::string_view) override {}
};

// Port 9 of this machine answers nobody.
constexpr char kNobody[] = "http://127.0.0.1:9";

TEST(HttpClient, NobodyIsToldAtOnce) {
  HttpClient client({kNobody, "", {}});
  NoSink sink;
  EXPECT_THROW(client.get(std::string(kNobody) + "/x", sink), ConnectionError);
  EXPECT_FALSE(client.reached());
  EXPECT_EQ(client.received(), 0);
}

TEST(HttpClient, OtherProtocolsAreNoConnectionErrors) {
  HttpClient client({kNobody, "", {}});
  try {
    client.head("file:///etc/passwd");
    FAIL();
  } catch (const ConnectionError&) {
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kFailed);
  }
}

TEST(HttpClient, SeveralThreadsAtOnce) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([] {
      HttpClient client({kNobody, "token", [] { return false; }});
      EXPECT_THROW(client.head(std::string(kNobody) + "/x"), ConnectionError);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace m2
