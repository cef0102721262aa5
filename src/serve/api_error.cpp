#include "serve/api_error.h"

#include <array>
#include <nlohmann/json.hpp>

#include "core/error.h"

namespace m2 {
namespace {

using Json = nlohmann::ordered_json;

// How each family calls a problem.
struct Words {
  ApiProblem problem;
  int openai_status;
  const char* openai_type;
  const char* openai_code;  // null where there is none
  int inference_status;
  const char* inference_type;
};

constexpr char kInvalid[] = "invalid_request_error", kServer[] = "server_error";

constexpr std::array<Words, 12> kWords = {{
    {ApiProblem::kBadRequest, 400, kInvalid, nullptr, 422, "Validation"},
    {ApiProblem::kUnauthorised, 401, kInvalid, "invalid_api_key", 401, "Unauthorized"},
    {ApiProblem::kNoSuchModel, 404, kInvalid, "model_not_found", 404, "Validation"},
    {ApiProblem::kNoSuchRoute, 404, kInvalid, "unknown_url", 404, "Validation"},
    {ApiProblem::kMethod, 405, kInvalid, "method_not_allowed", 405, "Validation"},
    {ApiProblem::kTooManyInputs, 400, kInvalid, "request_too_large", 413, "Validation"},
    {ApiProblem::kContextLength, 400, kInvalid, "context_length_exceeded", 413, "Validation"},
    {ApiProblem::kUnsupported, 400, kInvalid, "unsupported", 424, "Backend"},
    {ApiProblem::kOverloaded, 429, "rate_limit_error", "rate_limit_exceeded", 429, "Overloaded"},
    {ApiProblem::kLoading, 503, kServer, "not_ready", 503, "Unhealthy"},
    {ApiProblem::kTimeout, 504, kServer, "timeout", 504, "Backend"},
    {ApiProblem::kFailed, 500, kServer, "computation_failed", 424, "Backend"},
}};

const Words& words_of(ApiProblem problem) {
  for (const Words& words : kWords) {
    if (words.problem == problem) return words;
  }
  fail_check("a problem has words", __FILE__, __LINE__);
}

// Messages may quote what is no UTF-8.
std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string openai_body(const std::string& message, const char* type, const std::string& param,
                        const char* code) {
  Json error = {{"message", message}, {"type", type}, {"param", nullptr}, {"code", nullptr}};
  if (!param.empty()) error["param"] = param;
  if (code != nullptr) error["code"] = code;
  return dump({{"error", error}});
}

std::string inference_body(const std::string& message, const char* type) {
  return dump({{"error", message}, {"error_type", type}});
}

}  // namespace

ApiFamily family_of_path(std::string_view path) {
  const bool openai = path.starts_with("/v1") || path.starts_with("/api/");
  return openai ? ApiFamily::kOpenAi : ApiFamily::kInference;
}

HttpResponse error_response(ApiFamily family, const ApiError& error) {
  const Words& words = words_of(error.problem());
  HttpResponse response;
  if (family == ApiFamily::kOpenAi) {
    response.status = words.openai_status;
    response.body = openai_body(error.what(), words.openai_type, error.param(), words.openai_code);
  } else {
    response.status = words.inference_status;
    const std::string place = error.param().empty() ? "" : error.param() + ": ";
    response.body = inference_body(place + error.what(), words.inference_type);
  }
  if (error.retry_after() > 0) {
    response.headers.emplace_back("Retry-After", std::to_string(error.retry_after()));
  }
  if (error.problem() == ApiProblem::kUnauthorised) {
    response.headers.emplace_back("WWW-Authenticate", "Bearer");
  }
  return response;
}

HttpResponse error_response(ApiFamily family, int status, const std::string& message) {
  const bool overloaded = status == 429, server = status >= 500;
  HttpResponse response;
  response.status = status;
  if (family == ApiFamily::kOpenAi) {
    const char* type = overloaded ? "rate_limit_error" : server ? kServer : kInvalid;
    response.body = openai_body(message, type, {}, nullptr);
  } else {
    const char* type = overloaded ? "Overloaded" : server ? "Unhealthy" : "Validation";
    response.body = inference_body(message, type);
  }
  return response;
}

}  // namespace m2
