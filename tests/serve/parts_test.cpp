#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "core/error.h"
#include "serve/api_error.h"
#include "serve/api_keys.h"
#include "serve/base64.h"
#include "serve/engine.h"
#include "serve/metrics.h"
#include "serve/request_json.h"
#include "serve/request_log.h"
#include "serve/route_table.h"
#include "serve/worker_pool.h"

namespace m2 {
namespace {

using testing::HasSubstr;

HttpRequest request_with(const std::string& body, const std::string& type = "application/json") {
  HttpRequest request;
  request.body = body;
  request.headers = {{"Content-Type", type}};
  return request;
}

template <class Call>
std::string problem_of(const Call& call) {
  try {
    call();
  } catch (const ApiError& error) {
    return error.param() + ": " + error.what();
  }
  return "none";
}

TEST(Base64Test, HasTheBytesOfTheFloatsInTheirOrder) {
  // By Python: base64.b64encode(numpy.array([...], "<f4"))
  EXPECT_EQ(base64_of_floats(std::vector<float>{}), "");
  EXPECT_EQ(base64_of_floats(std::vector<float>{1.0F}), "AACAPw==");
  EXPECT_EQ(base64_of_floats(std::vector<float>{1.0F, -2.5F}), "AACAPwAAIMA=");
  EXPECT_EQ(base64_of_floats(std::vector<float>{0.1F, 3e38F, -0.0F}), "zczMPeaxYX8AAACA");
}

TEST(ApiKeysTest, TakesAnyOfTheKeysAndNothingElse) {
  const ApiKeys keys({"first-key", "k2"});
  EXPECT_TRUE(keys.accept("Bearer first-key"));
  EXPECT_TRUE(keys.accept("bearer  k2"));
  for (const char* wrong :
       {"", "Bearer", "Bearer ", "first-key", "Basic first-key", "Bearer first-ke",
        "Bearer first-key2", "Bearer first-keyfirst-key", "Bearer k2k2", "Bearer FIRST-KEY"}) {
    EXPECT_FALSE(keys.accept(wrong)) << wrong;
  }
  EXPECT_TRUE(ApiKeys({}).accept(""));
}

TEST(ApiKeysTest, AFileHasAKeyALine) {
  const std::string path = testing::TempDir() + "keys.txt";
  std::ofstream(path) << "# keys\n\nfirst\r\nsecond  \n";
  EXPECT_THAT(read_api_keys(path), testing::ElementsAre("first", "second"));
  std::ofstream(path) << "# none\n";
  EXPECT_THROW(read_api_keys(path), Error);
  std::remove(path.c_str());
  EXPECT_THROW(read_api_keys(path), Error);
}

TEST(MetricsTest, IsPrometheusText) {
  Metrics metrics;
  metrics.counter("b_total", "Of b", metric_label("kind", "a \"quoted\" \\ one\n")).add(3);
  metrics.gauge("a", "Of a", [] { return 0.5; });
  Histogram& histogram =
      metrics.histogram("c_seconds", "Of c", {0.1, 1}, metric_label("route", "/"));
  for (const double value : {0.1, 0.5, 7.0}) histogram.add(value);
  EXPECT_EQ(metrics.text(),
            "# HELP a Of a\n# TYPE a gauge\na 0.5\n"
            "# HELP b_total Of b\n# TYPE b_total counter\n"
            "b_total{kind=\"a \\\"quoted\\\" \\\\ one\\n\"} 3\n"
            "# HELP c_seconds Of c\n# TYPE c_seconds histogram\n"
            "c_seconds_bucket{route=\"/\",le=\"0.1\"} 1\n"
            "c_seconds_bucket{route=\"/\",le=\"1\"} 2\n"
            "c_seconds_bucket{route=\"/\",le=\"+Inf\"} 3\n"
            "c_seconds_sum{route=\"/\"} 7.6\nc_seconds_count{route=\"/\"} 3\n");
}

TEST(RequestJsonTest, NamesTheFieldThatIsWrong) {
  const HttpRequest request = request_with(
      R"({"text": "x", "flag": 1, "number": 1.5, "huge": 18446744073709551615, "word": "c",
          "nothing": null, "inner": {"flag": "no"}})");
  const RequestJson json(request, 100);
  EXPECT_EQ(json.text("text"), "x");
  EXPECT_EQ(json.find("nothing"), nullptr);
  EXPECT_EQ(problem_of([&] { json.text("flag"); }), "flag: must be a string, is number");
  EXPECT_EQ(problem_of([&] { json.required("absent"); }), "absent: is missing");
  EXPECT_EQ(problem_of([&] { json.flag("text"); }), "text: must be true or false, is string");
  EXPECT_EQ(problem_of([&] { json.integer("number", 1, 9); }),
            "number: must be a whole number from 1 to 9");
  EXPECT_EQ(problem_of([&] { json.integer("huge", 1, INT64_MAX); }),
            "huge: must be a whole number from 1 to 9223372036854775807");
  EXPECT_EQ(problem_of([&] { json.word("word", {"a", "b"}); }), "word: must be a or b, is \"c\"");
  const RequestJson inner(json, "inner");
  EXPECT_EQ(problem_of([&] { inner.flag("flag"); }),
            "inner.flag: must be true or false, is string");
  EXPECT_EQ(RequestJson(json, "absent").find("flag"), nullptr);
  EXPECT_EQ(problem_of([&] { RequestJson(json, "text"); }), "text: must be an object, is string");
}

TEST(RequestJsonTest, AWholeNumberMayBeWrittenInAnyWay) {
  const RequestJson json(request_with(R"({"a": 7.0, "b": 7e2, "c": -0.0, "d": 1e18, "e": 7.5})"),
                         10);
  EXPECT_EQ(json.integer("a", 1, 9), 7);
  EXPECT_EQ(json.integer("b", 1, 900), 700);
  EXPECT_EQ(json.integer("c", 0, 9), 0);
  EXPECT_THROW(json.integer("a", 8, 9), ApiError);
  EXPECT_THROW(json.integer("d", 1, INT64_MAX), ApiError);
  EXPECT_THROW(json.integer("e", 1, 9), ApiError);
  EXPECT_EQ(whole_number(nlohmann::json("7")), std::nullopt);
  EXPECT_EQ(whole_number(nlohmann::json(true)), std::nullopt);
}

TEST(RequestJsonTest, RefusesWhatIsNoObjectOrTooMuch) {
  const auto problem = [](const std::string& body, const std::string& type = "application/json") {
    return problem_of([&] { RequestJson(request_with(body, type), 10); });
  };
  EXPECT_EQ(problem("{}"), "none");
  EXPECT_EQ(problem("{}", "application/json; charset=utf-8"), "none");
  EXPECT_EQ(problem("{}", ""), "none");
  EXPECT_THAT(problem("{}", "text/plain"), HasSubstr("send JSON"));
  EXPECT_THAT(problem(""), HasSubstr("empty"));
  EXPECT_THAT(problem("[1]"), HasSubstr("must be a JSON object, is array"));
  EXPECT_THAT(problem("{\"a\":"), HasSubstr("no valid JSON"));
  EXPECT_THAT(problem("{\"a\":1,\"a\":2}"), HasSubstr("twice"));
  EXPECT_THAT(problem("{\"a\":\"\xff\"}"), HasSubstr("no valid JSON"));
  EXPECT_EQ(problem("{\"a\":[1,2,3,4,5,6,7,8]}"), "none");
  EXPECT_THAT(problem("{\"a\":[1,2,3,4,5,6,7,8,9]}"), HasSubstr("more than 10 values"));
  EXPECT_THAT(problem("{\"a\":" + std::string(100000, '[')), HasSubstr("more than 10 values"));
  const std::string deep = "{\"a\":" + std::string(100000, '[');
  EXPECT_THAT(problem_of([&] { RequestJson(request_with(deep), 1000000); }), HasSubstr("nested"));
}

TEST(ApiErrorTest, HasTheShapeOfItsFamily) {
  const ApiError error(ApiProblem::kContextLength, "too long", "input[3]");
  const HttpResponse openai = error_response(ApiFamily::kOpenAi, error);
  EXPECT_EQ(openai.status, 400);
  EXPECT_EQ(openai.body,
            R"({"error":{"message":"too long","type":"invalid_request_error","param":"input[3]",)"
            R"("code":"context_length_exceeded"}})");
  const HttpResponse inference = error_response(ApiFamily::kInference, error);
  EXPECT_EQ(inference.status, 413);
  EXPECT_EQ(inference.body, R"({"error":"input[3]: too long","error_type":"Validation"})");
  const HttpResponse later = error_response(
      ApiFamily::kOpenAi, ApiError(ApiProblem::kOverloaded, "full").with_retry_after(7));
  EXPECT_EQ(later.status, 429);
  EXPECT_EQ(header_value(later.headers, "retry-after"), "7");
}

TEST(ApiErrorTest, QuotesOfBrokenUtf8AreStillJson) {
  const HttpResponse response =
      error_response(ApiFamily::kOpenAi, ApiError(ApiProblem::kBadRequest, "\xff"));
  EXPECT_TRUE(nlohmann::json::accept(response.body));
}

TEST(RouteTableTest, KnowsMethodsOfAPath) {
  EXPECT_NE(find_route("POST", "/v1/embeddings"), nullptr);
  EXPECT_EQ(find_route("GET", "/v1/embeddings"), nullptr);
  EXPECT_EQ(find_route("HEAD", "/health"), find_route("GET", "/health"));
  EXPECT_EQ(find_route("POST", "/v1/embeddings/"), nullptr);
  EXPECT_EQ(allowed_methods("/"), "GET, HEAD, POST");
  EXPECT_EQ(allowed_methods("/nothing"), "");
  for (const Route& route : all_routes()) {
    EXPECT_EQ(route.kind == Route::Kind::kWork, route.prepare != nullptr) << route.path;
  }
}

TEST(RequestLogTest, TakesTheTraceIdOfAWholeHeaderAlone) {
  const std::string id = "4bf92f3577b34da6a3ce929d0e0e4736";
  EXPECT_EQ(trace_id("00-" + id + "-00f067aa0ba902b7-01"), id);
  for (const std::string& wrong :
       {std::string(), "00-" + id, "00-" + std::string(32, '0') + "-00f067aa0ba902b7-01",
        "00-" + std::string(32, 'X') + "-00f067aa0ba902b7-01"}) {
    EXPECT_EQ(trace_id(wrong), "") << wrong;
  }
}

TEST(DrainRateTest, IsTokensOverTimeAndForgets) {
  DrainRate rate;
  EXPECT_EQ(rate.tokens_per_second(), 0);
  rate.add(1000, 1);
  EXPECT_NEAR(rate.tokens_per_second(), 1000, 1e-9);
  rate.add(1000, 1);
  EXPECT_NEAR(rate.tokens_per_second(), 1000, 1e-9);
  for (int i = 0; i < 300; ++i) rate.add(10, 1);
  EXPECT_NEAR(rate.tokens_per_second(), 10, 0.5);
}

TEST(WorkerPoolTest, SmallWorkDoesNotWaitForLargeWork) {
  std::atomic<bool> release = false, small_done = false;
  {
    WorkerPool pool;
    const size_t large = size_t{1} << 20;
    for (int i = 0; i < 3; ++i) {
      pool.post(large, [&] { release.wait(false); });
    }
    pool.post(10, [&] { small_done = true; });
    for (int i = 0; i < 1000 && !small_done; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    EXPECT_TRUE(small_done);
    release = true;
    release.notify_all();
  }
}

}  // namespace
}  // namespace m2
