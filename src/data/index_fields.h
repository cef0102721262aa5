// Values out of a dataset's index.json, each checked.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace m2 {

// The value of `key` in an object. Error(kInput) that begins with `where` when `object` is none,
// or the value is missing or of another kind.
uint64_t index_number(const nlohmann::json& object, const char* key, const std::string& where);
const std::string& index_text(const nlohmann::json& object, const char* key,
                              const std::string& where);
const nlohmann::json& index_list(const nlohmann::json& object, const char* key,
                                 const std::string& where);
// The path of a file in `folder`; its name may lead nowhere else.
std::string index_file(const nlohmann::json& object, const char* key, const std::string& folder,
                       const std::string& where);

}  // namespace m2
