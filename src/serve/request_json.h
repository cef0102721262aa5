// The body of a request as JSON, its fields checked.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "serve/http/message.h"

namespace m2 {

// A whole number however it is written ("3", "3.0", "3e0"); empty for anything else, and beyond
// what its type, or a double, holds exactly.
std::optional<int64_t> whole_number(const nlohmann::json& value);

// A string. ApiError(kBadRequest) that names `param` for anything else.
const std::string& string_of(const nlohmann::json& value, const std::string& param);

// An object's fields. What is wrong throws ApiError(kBadRequest) that names the field. A field that
// is null counts as left out, and fields without a meaning here are no error.
class RequestJson {
 public:
  RequestJson(const RequestJson&) = delete;
  RequestJson& operator=(const RequestJson&) = delete;
  // The whole body of `request`, at most `values` values in it. Content-Type, where it is given,
  // must be JSON's.
  RequestJson(const HttpRequest& request, size_t values);
  // The object in a field of `outer`, which must outlive this; an empty one where it is left out.
  RequestJson(const RequestJson& outer, const char* field);

  // Null where it is left out.
  const nlohmann::json* find(const char* field) const;
  const nlohmann::json& required(const char* field) const;

  std::string text(const char* field) const;
  std::optional<std::string> optional_text(const char* field) const;
  std::optional<bool> flag(const char* field) const;
  std::optional<int64_t> integer(const char* field, int64_t least, int64_t most) const;
  // One of the values of a list of words.
  std::optional<std::string> word(const char* field,
                                  std::initializer_list<const char*> words) const;

  // The field's name in errors: "parameters.truncate".
  std::string name_of(const char* field) const;

 private:
  nlohmann::json own_;          // of a whole body
  const nlohmann::json* json_;  // own_, or a part of another's
  std::string path_;
};

}  // namespace m2
