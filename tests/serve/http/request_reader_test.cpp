#include "serve/http/request_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <random>
#include <string>
#include <vector>

#include "serve/http/response_head.h"

namespace m2 {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr size_t kHeaderBytes = 1024;
constexpr size_t kBodyBytes = 4096;

struct Outcome {
  int status = 0;  // of the fault; 0: a whole request, -1: it wants more
  HttpRequest request;
  size_t used = 0;
  bool keeps_connection = false;
};

// Reads input that arrives in pieces of that size, as a connection would.
Outcome read(const std::string& input, size_t piece = std::string::npos) {
  RequestReader reader(kHeaderBytes, kBodyBytes);
  Outcome outcome;
  size_t arrived = 0;
  do {
    arrived = piece < input.size() - arrived ? arrived + piece : input.size();
    size_t used = 0;
    do {
      used = reader.read(std::string_view(input).substr(outcome.used, arrived - outcome.used));
      outcome.used += used;
    } while (used > 0);
    if (reader.stage() == RequestReader::Stage::kBody) reader.read({});
  } while (arrived < input.size());
  outcome.keeps_connection = reader.keeps_connection();
  outcome.request = reader.request();
  outcome.status = reader.stage() == RequestReader::Stage::kWhole ? 0 : -1;
  if (reader.stage() == RequestReader::Stage::kFault) outcome.status = reader.fault().status;
  return outcome;
}

// A request with Host, these lines and this body.
std::string post(const std::string& lines, const std::string& body = "") {
  return "POST /p HTTP/1.1\r\nHost: h\r\n" + lines + "\r\n" + body;
}

const std::string kChunked = "Transfer-Encoding: chunked\r\n";

TEST(RequestReader, ReadsEachPartOfARequest) {
  const Outcome got = read(
      "PUT /a/b%20c?x=1&y=?2 HTTP/1.1\r\nHost: h:80\r\nX-One:  1 two\t\r\nx-none:\r\n"
      "Content-Length: 5\r\n\r\nhello");
  EXPECT_EQ(got.status, 0);
  EXPECT_EQ(got.request.method, "PUT");
  EXPECT_EQ(got.request.path, "/a/b%20c");
  EXPECT_EQ(got.request.query, "x=1&y=?2");
  EXPECT_EQ(got.request.headers.size(), 4u);
  EXPECT_EQ(header_value(got.request.headers, "X-ONE"), "1 two");
  EXPECT_EQ(header_value(got.request.headers, "x-none"), "");
  EXPECT_EQ(got.request.body, "hello");
  EXPECT_TRUE(got.keeps_connection);
}

TEST(RequestReader, LeavesTheNextRequestAlone) {
  const std::string first = post("Content-Length: 2\r\n", "ab");
  EXPECT_EQ(read(first + "GET / HTTP/1.1\r\n").used, first.size());
  const std::string bare = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
  EXPECT_EQ(read(bare + bare).used, bare.size());
  const std::string chunks = post(kChunked, "2\r\nab\r\n0\r\n\r\n");
  EXPECT_EQ(read(chunks + "G").used, chunks.size());
}

TEST(RequestReader, DoesNotDependOnWhereTheBytesAreCut) {
  const std::string requests[] = {
      post("Content-Length: 11\r\nx-a: 1\r\n", "hello world"), "GET / HTTP/1.0\r\n\r\n",
      "\r\nGET /x HTTP/1.1\r\nHost: h\r\n\r\n",
      post(kChunked, "5;name=\"a;b\"\r\nhello\r\n06\r\n world\r\n0\r\nx-a: b\r\n\r\n")};
  for (const std::string& request : requests) {
    const Outcome whole = read(request);
    EXPECT_EQ(whole.status, 0) << request;
    EXPECT_EQ(whole.used, request.size());
    for (size_t piece = 1; piece < request.size(); ++piece) {
      const Outcome cut = read(request, piece);
      EXPECT_EQ(cut.status, 0) << piece << "\n" << request;
      EXPECT_EQ(cut.used, request.size());
      EXPECT_EQ(cut.request.path, whole.request.path);
      EXPECT_EQ(cut.request.headers, whole.request.headers);
      EXPECT_EQ(cut.request.body, whole.request.body);
    }
    for (size_t size = 0; size < request.size(); ++size) {
      EXPECT_EQ(read(request.substr(0, size)).status, -1) << size << "\n" << request;
    }
  }
}

TEST(RequestReader, JoinsChunksAndIgnoresTrailers) {
  const Outcome got = read(
      post(kChunked, "3\r\nabc\r\n0A;x=y\r\n0123456789\r\n0\r\nHost: other\r\nx-late: 1\r\n\r\n"));
  EXPECT_EQ(got.status, 0);
  EXPECT_EQ(got.request.body, "abc0123456789");
  EXPECT_EQ(got.request.headers.size(), 2u);
}

TEST(RequestReader, TakesTheAbsoluteForm) {
  const auto target = [](const std::string& text) {
    return read("GET " + text + " HTTP/1.1\r\nHost: h\r\n\r\n");
  };
  EXPECT_EQ(target("http://h:80/a?b").request.path, "/a");
  EXPECT_EQ(target("HTTPS://h/a?b").request.query, "b");
  EXPECT_EQ(target("http://h").request.path, "/");
  EXPECT_EQ(target("http://h?b").request.path, "/");
  EXPECT_EQ(target("http://h?b").request.query, "b");
  EXPECT_EQ(target("*").request.path, "*");
  for (const char* bad : {"http:///a", "http://u@h/a", "ftp://h/a", "a", "h:80", "/a#b", "/\x80"}) {
    EXPECT_EQ(target(bad).status, 400) << bad;
  }
}

TEST(RequestReader, KnowsWhoKeepsTheConnection) {
  EXPECT_FALSE(read(post("Connection: x, Close\r\n")).keeps_connection);
  EXPECT_FALSE(read("GET / HTTP/1.0\r\n\r\n").keeps_connection);
  EXPECT_TRUE(read("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").keeps_connection);
}

// What two servers on a request's way could read as different requests.
TEST(RequestReader, RefusesWhatCouldBeReadInTwoWays) {
  const std::string five = "hello";
  const std::string chunk = "5\r\nhello\r\n0\r\n\r\n";
  const std::vector<std::pair<std::string, int>> cases = {
      {post("Content-Length: 5\r\n" + kChunked, chunk), 400},
      {post(kChunked + "Content-Length: 5\r\n", chunk), 400},
      {post("Content-Length: 5\r\nTransfer-Encoding: xchunked\r\n", five), 400},
      {post("Content-Length: 5\r\nContent-Length: 6\r\n", five), 400},
      {post("Content-Length: 5\r\ncontent-length: 5\r\n", five), 400},
      {post("Content-Length: 5, 5\r\n", five), 400},
      {post("Content-Length: 5,\r\n", five), 400},
      {post("Content-Length: +5\r\n", five), 400},
      {post("Content-Length: -5\r\n", five), 400},
      {post("Content-Length:  5x\r\n", five), 400},
      {post("Content-Length: 0x5\r\n", five), 400},
      {post("Content-Length: 5 5\r\n", five), 400},
      {post("Content-Length:\r\n", five), 400},
      {post("Content-Length: 18446744073709551621\r\n", five), 400},
      {post("Content-Length : 5\r\n", five), 400},
      {post("Content-Length\t: 5\r\n", five), 400},
      {post(" Content-Length: 5\r\n", five), 400},
      {post("x-a: b\r\n Content-Length: 5\r\n", five), 400},
      {post("x-a: b\r\n\tc\r\n"), 400},
      {post("x-a:\r\n b\r\n"), 400},
      {post("x-a: b\nContent-Length: 5\r\n", five), 400},
      {post("x-a: b\rContent-Length: 5\r\n", five), 400},
      {post("x-a: b\r\r\nContent-Length: 5\r\n", five), 400},
      {post("\nContent-Length: 5\r\n", five), 400},
      {post("Transfer-Encoding: identity\r\n", five), 501},
      {post("Transfer-Encoding: gzip\r\n", five), 501},
      {post("Transfer-Encoding: gzip, chunked\r\n", chunk), 501},
      {post("Transfer-Encoding: chunked, identity\r\n", chunk), 501},
      {post("Transfer-Encoding: \"chunked\"\r\n", chunk), 501},
      {post("Transfer-Encoding: chunked;x=y\r\n", chunk), 501},
      {post("Transfer-Encoding: \x0b"
            "chunked\r\n",
            chunk),
       400},
      {post("Transfer-Encoding:\r\n", chunk), 501},
      {post(kChunked + "Transfer-Encoding: identity\r\n", chunk), 400},
      {post("Transfer-Encoding: identity\r\n" + kChunked, chunk), 501},
      {post("Transfer-Encoding : chunked\r\n", chunk), 400},
      {post(": x\r\n"), 400},
      {post("x\r\n"), 400},
      {post(std::string("x-a: b\0c\r\n", 10)), 400},
      {post(std::string("x\0a: b\r\n", 8)), 400},
      {post("x-a: \x7f\r\n"), 400},
      {"POST /p HTTP/1.0\r\n" + kChunked + "\r\n" + chunk, 400},
      {"GET / HTTP/1.1\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400},
      {"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
      {"GET  / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"GET /  HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"GET / HTTP/1.1 \r\nHost: h\r\n\r\n", 400},
      {"GET\t/ HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"GET /\r\nHost: h\r\n\r\n", 400},
      {"GET / http/1.1\r\nHost: h\r\n\r\n", 400},
      {"GET / HTTP/1.2\r\nHost: h\r\n\r\n", 400},
      {"GET / HTTP/2.0\r\nHost: h\r\n\r\n", 400},
      {"GET / HTTP/1.1\nHost: h\n\n", 400},
      {"G(T / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {" GET / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"\x16\x03\x01\x02", 400},
  };
  for (const auto& [input, status] : cases) {
    EXPECT_EQ(read(input).status, status) << testing::PrintToString(input);
    EXPECT_EQ(read(input, 1).status, status) << testing::PrintToString(input);
  }
}

TEST(RequestReader, RefusesChunksThatCouldBeReadInTwoWays) {
  for (const char* chunks :
       {"5 5\r\nhello\r\n0\r\n\r\n", "+5\r\nhello\r\n0\r\n\r\n", "0x5\r\nhello\r\n0\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n", "5\r\nhelloX0\r\n\r\n", "5\r\nhello\n0\r\n\r\n",
        "5;\r\nhello\r\n0\r\n\r\n", "5;a\nb\r\nhello\r\n0\r\n\r\n", "\r\n5\r\nhello\r\n0\r\n\r\n",
        "-1\r\nhello\r\n0\r\n\r\n", "g\r\n\r\n", "5\r\nhello\r\n0\r\nx y: z\r\n\r\n",
        "5;a=\"\r\nhel\"\r\n0\r\n\r\n", "5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n"}) {
    EXPECT_EQ(read(post(kChunked, chunks)).status, 400) << testing::PrintToString(chunks);
  }
  // More hexadecimal digits than 64 bits have.
  EXPECT_THAT(read(post(kChunked, "10000000000000005\r\nhello\r\n0\r\n\r\n")).status,
              testing::AnyOf(400, 413));
}

TEST(RequestReader, HoldsToItsLimits) {
  const auto with_head_of = [](size_t size) {
    const std::string start = "GET / HTTP/1.1\r\nHost: h\r\nx-a: ";
    return start + std::string(size - start.size() - 4, 'a') + "\r\n\r\n";
  };
  EXPECT_EQ(read(with_head_of(kHeaderBytes)).status, 0);
  EXPECT_EQ(read(with_head_of(kHeaderBytes + 1)).status, 431);
  EXPECT_EQ(read("GET /" + std::string(kHeaderBytes, 'a')).status, 414);
  EXPECT_EQ(read(post(kChunked, "1;a=" + std::string(kHeaderBytes, 'a'))).status, 431);
  EXPECT_EQ(read(post(kChunked, "0\r\nx: " + std::string(kHeaderBytes, 'a'))).status, 431);

  const std::string half(kBodyBytes / 2, 'a');
  const std::string chunk = "800\r\n" + half + "\r\n";
  ASSERT_EQ(half.size(), 0x800u);
  EXPECT_EQ(read(post(kChunked, chunk + chunk + "0\r\n\r\n")).status, 0);
  EXPECT_EQ(read(post(kChunked, chunk + chunk + "1\r\n")).status, 413);  // before its bytes come
  EXPECT_EQ(read(post(kChunked, chunk + "801\r\n")).status, 413);

  RequestReader wide(size_t{1} << 20, kBodyBytes);
  wide.read("GET /" + std::string(8192, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(wide.fault().status, 414);
  RequestReader many(size_t{1} << 20, kBodyBytes);
  std::string lines;
  for (int i = 0; i < 128; ++i) lines += "x: y\r\n";
  many.read(post(lines));
  EXPECT_EQ(many.fault().status, 431);
}

TEST(RequestReader, SaysWhatForbidsABody) {
  const auto status = [](const std::string& name, const std::string& value, uint64_t announced) {
    return body_fault({{name, value}}, announced, 10).status;
  };
  EXPECT_EQ(status("x", "y", 10), 0);
  EXPECT_EQ(status("x", "y", 11), 413);
  EXPECT_EQ(status("Expect", "100-Continue", 1), 0);
  EXPECT_EQ(status("Expect", "200-ok", 1), 417);
  EXPECT_EQ(status("Content-Encoding", "Identity", 1), 0);
  EXPECT_EQ(status("Content-Encoding", "gzip", 1), 415);
}

// Whatever bytes come, the reader ends in one of its stages and never uses more than there is.
TEST(RequestReader, SurvivesBytesThatAreNoRequest) {
  const std::string seeds[] = {
      post(kChunked, "5;a=b\r\nhello\r\n0\r\nx-a: b\r\n\r\n"),
      post("Content-Length: 5\r\nExpect: 100-continue\r\n", "hello"),
      "GET http://h/a?b HTTP/1.1\r\nHost: h\r\nConnection: close, x\r\n\r\n"};
  const std::string alphabet = "\r\n\t :;,=\"0aFgG/?*\\%\x80";
  std::mt19937 random(7);
  const auto below = [&](size_t n) { return static_cast<size_t>(random()) % n; };
  for (int round = 0; round < 20000; ++round) {
    std::string input = seeds[below(3)];
    for (size_t edits = 1 + below(4); edits > 0; --edits) {
      const size_t at = below(input.size());
      const char c = below(4) == 0 ? static_cast<char>(random()) : alphabet[below(alphabet.size())];
      if (below(3) == 0) {
        input.erase(at, 1 + below(4));
      } else {
        input.insert(at, 1 + below(3), c);
      }
      if (input.empty()) input = "\r";
    }
    const Outcome whole = read(input);
    const Outcome cut = read(input, 1 + below(9));
    ASSERT_LE(whole.used, input.size());
    ASSERT_EQ(whole.status, cut.status) << testing::PrintToString(input);
    if (whole.status == 0) {
      ASSERT_EQ(whole.request.body, cut.request.body) << testing::PrintToString(input);
      ASSERT_EQ(whole.used, cut.used) << testing::PrintToString(input);
    }
  }
}

TEST(ResponseHead, IsWhatTheStandardWants) {
  EXPECT_EQ(http_date(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");  // RFC 9110, 5.6.7
  const HttpResponse response{404, "text/plain", "gone", {{"x-a", "b"}}};
  const std::string head = response_head(response, {"id-1", false, false});
  EXPECT_THAT(head, testing::StartsWith("HTTP/1.1 404 Not Found\r\nDate: "));
  EXPECT_THAT(head, HasSubstr("\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n"));
  EXPECT_THAT(head, HasSubstr("\r\nx-request-id: id-1\r\nx-a: b\r\n\r\n"));
  EXPECT_THAT(head, Not(HasSubstr("Connection")));
  EXPECT_THAT(response_head(response, {"", true, true}), HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(response_head(response, {"", false, true}), HasSubstr("Connection: keep-alive\r\n"));
  EXPECT_THAT(response_head({204, "", "", {}}, {}), Not(HasSubstr("Content-")));
}

TEST(ResponseHead, LetsNoValueStartAHeader) {
  const std::string head = response_head({200, "", "", {{"x-a", "b\r\nSet-Cookie: c"}}}, {});
  EXPECT_THAT(head, HasSubstr("\r\nx-a: b  Set-Cookie: c\r\n"));
}

}  // namespace
}  // namespace m2
