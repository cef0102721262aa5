// serve: embeddings over HTTP: routes, queue, limits, metrics. Uses embedding and what lies below.
//
// http/ reads requests and knows no route; service.h hands each to its route; a route turns it into
// a job; queue and engine compute jobs; the route's answer becomes the response.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "serve/http/message.h"

namespace m2 {

// Why a request was not served. Each route family has its own words and status for them.
enum class ApiProblem : uint8_t {
  kBadRequest,    // malformed, or a field that means nothing
  kUnauthorised,  // no key, or a wrong one
  kNoSuchModel,
  kNoSuchRoute,
  kMethod,         // the route knows other methods
  kTooManyInputs,  // or bytes, or tokens of a request
  kContextLength,  // a text longer than the model
  kUnsupported,    // by this model: a re-ranking without a head for it
  kOverloaded,     // the queue is full: later
  kLoading,        // not ready yet, or not any more
  kTimeout,        // the request's deadline passed
  kFailed          // the computation went wrong
};

class ApiError : public std::runtime_error {
 public:
  ApiError(ApiProblem problem, const std::string& message, std::string param = {})
      : std::runtime_error(message), problem_(problem), param_(std::move(param)) {}
  ApiProblem problem() const { return problem_; }
  // The field of the request that is wrong: "input", "input[3]"; empty where none is.
  const std::string& param() const { return param_; }
  // Seconds after which another try is worth it; 0: not said.
  int64_t retry_after() const { return retry_after_; }
  ApiError with_retry_after(int64_t seconds) && {
    retry_after_ = seconds;
    return std::move(*this);
  }
  // The limit that was reached, as the metrics call it; empty where none was.
  const std::string& limit() const { return limit_; }
  ApiError at_limit(const char* name) && {
    limit_ = name;
    return std::move(*this);
  }

 private:
  ApiProblem problem_;
  std::string param_;
  int64_t retry_after_ = 0;
  std::string limit_;
};

// Whose clients a route serves, and so the shape of its errors.
enum class ApiFamily : uint8_t {
  kOpenAi,    // {"error": {"message", "type", "param", "code"}}
  kInference  // text-embeddings-inference: {"error", "error_type"}
};

// The family of a path, also of one that no route has.
ApiFamily family_of_path(std::string_view path);

HttpResponse error_response(ApiFamily family, const ApiError& error);
// The same for what HTTP itself finds wrong.
HttpResponse error_response(ApiFamily family, int status, const std::string& message);

}  // namespace m2
