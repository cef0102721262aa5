#include "serve/request_json.h"

#include <cmath>
#include <utility>
#include <vector>

#include "checkpoint/json.h"
#include "core/error.h"
#include "core/text.h"
#include "serve/api_error.h"

namespace m2 {
namespace {

using Json = nlohmann::json;

ApiError bad_field(const std::string& field, const std::string& problem) {
  return {ApiProblem::kBadRequest, problem, field};
}

void check_content_type(const HttpRequest& request) {
  std::string_view type = header_value(request.headers, "content-type");
  type = type.substr(0, type.find(';'));
  while (type.ends_with(' ')) type.remove_suffix(1);
  std::string lower;
  for (const char c : type) lower += static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  if (lower.empty() || lower == "application/json" || lower.ends_with("+json")) return;
  throw ApiError(ApiProblem::kBadRequest, concat("the Content-Type is ", printable(type),
                                                 "; send JSON as application/json"));
}

Json parse(const HttpRequest& request, size_t values) {
  check_content_type(request);
  if (request.body.empty()) {
    throw ApiError(ApiProblem::kBadRequest, "the body is empty; send a JSON object");
  }
  try {
    Json json = parse_json(request.body, "the body", {kMaxJsonDepth, values});
    if (json.is_object()) return json;
    throw ApiError(ApiProblem::kBadRequest,
                   concat("the body must be a JSON object, is ", json.type_name()));
  } catch (const Error& error) {
    throw ApiError(ApiProblem::kBadRequest, error.what());
  }
}

}  // namespace

std::optional<int64_t> whole_number(const Json& value) {
  constexpr double kLargestExact = 9007199254740992;  // 2^53
  if (value.is_number_unsigned() && value.get<uint64_t>() > uint64_t{INT64_MAX}) return {};
  if (value.is_number_integer()) return value.get<int64_t>();
  if (!value.is_number_float()) return {};
  const auto number = value.get<double>();
  if (!(std::abs(number) <= kLargestExact) || std::trunc(number) != number) return {};
  return static_cast<int64_t>(number);
}

const std::string& string_of(const Json& value, const std::string& param) {
  if (!value.is_string()) {
    throw bad_field(param, concat("must be a string, is ", value.type_name()));
  }
  return value.get_ref<const std::string&>();
}

RequestJson::RequestJson(const HttpRequest& request, size_t values)
    : own_(parse(request, values)), json_(&own_) {}

RequestJson::RequestJson(const RequestJson& outer, const char* field)
    : own_(Json::object()), json_(&own_), path_(outer.name_of(field)) {
  const Json* found = outer.find(field);
  if (found == nullptr) return;
  if (!found->is_object()) {
    throw bad_field(path_, concat("must be an object, is ", found->type_name()));
  }
  json_ = found;
}

std::string RequestJson::name_of(const char* field) const {
  return path_.empty() ? field : concat(path_, ".", field);
}

const Json* RequestJson::find(const char* field) const {
  const auto found = json_->find(field);
  return found == json_->end() || found->is_null() ? nullptr : &*found;
}

const Json& RequestJson::required(const char* field) const {
  const Json* found = find(field);
  if (found == nullptr) throw bad_field(name_of(field), "is missing");
  return *found;
}

std::string RequestJson::text(const char* field) const {
  required(field);
  return *optional_text(field);
}

std::optional<std::string> RequestJson::optional_text(const char* field) const {
  const Json* found = find(field);
  if (found == nullptr) return std::nullopt;
  return string_of(*found, name_of(field));
}

std::optional<bool> RequestJson::flag(const char* field) const {
  const Json* found = find(field);
  if (found == nullptr) return std::nullopt;
  if (!found->is_boolean()) {
    throw bad_field(name_of(field), concat("must be true or false, is ", found->type_name()));
  }
  return found->get<bool>();
}

std::optional<int64_t> RequestJson::integer(const char* field, int64_t least, int64_t most) const {
  const Json* found = find(field);
  if (found == nullptr) return std::nullopt;
  const auto number = whole_number(*found);
  if (!number || *number < least || *number > most) {
    throw bad_field(name_of(field), concat("must be a whole number from ", least, " to ", most));
  }
  return number;
}

std::optional<std::string> RequestJson::word(const char* field,
                                             std::initializer_list<const char*> words) const {
  const auto given = optional_text(field);
  if (!given) return given;
  for (const char* word : words) {
    if (*given == word) return given;
  }
  throw bad_field(name_of(field), concat("must be ", join({words.begin(), words.end()}, " or "),
                                         ", is \"", printable(*given), "\""));
}

}  // namespace m2
