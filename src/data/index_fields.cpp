#include "data/index_fields.h"

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/text.h"

namespace m2 {
namespace {

const nlohmann::json& value_of(const nlohmann::json& object, const char* key,
                               const std::string& where, bool (*fits)(const nlohmann::json&),
                               const char* kind) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  if (!object.is_object() || found == object.end() || !fits(*found)) {
    throw input_error(concat(where, ": \"", key, "\" must be ", kind));
  }
  return *found;
}

}  // namespace

uint64_t index_number(const nlohmann::json& object, const char* key, const std::string& where) {
  const auto fits = [](const nlohmann::json& value) { return value.is_number_unsigned(); };
  return value_of(object, key, where, fits, "a whole number").get<uint64_t>();
}

const std::string& index_text(const nlohmann::json& object, const char* key,
                              const std::string& where) {
  const auto fits = [](const nlohmann::json& value) { return value.is_string(); };
  return value_of(object, key, where, fits, "a text").get_ref<const std::string&>();
}

const nlohmann::json& index_list(const nlohmann::json& object, const char* key,
                                 const std::string& where) {
  const auto fits = [](const nlohmann::json& value) { return value.is_array(); };
  return value_of(object, key, where, fits, "a list");
}

std::string index_file(const nlohmann::json& object, const char* key, const std::string& folder,
                       const std::string& where) {
  const std::string& name = index_text(object, key, where);
  if (name.empty() || name == "." || name == ".." || name.find('/') != name.npos ||
      name.find('\0') != name.npos) {
    throw input_error(concat(where, ": \"", printable(name),
                             "\" is no name of a file in its "
                             "folder"));
  }
  return folder + "/" + name;
}

}  // namespace m2
