#include "hub/hub_access.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include "core/error.h"
#include "core/mapped_file.h"
#include "core/text.h"
#include "hub/http_client.h"
#include "hub/hub_cache.h"

namespace m2 {
namespace {

constexpr size_t kMaxTokenFileBytes = 4096;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string trimmed(std::string text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  text.erase(std::min(text.find_last_not_of(kBlanks) + 1, text.size()));
  text.erase(0, std::min(text.find_first_not_of(kBlanks), text.size()));
  return text;
}

// What would end the header's line, or stand in it as something else, is no token.
bool is_token(std::string_view token) {
  return std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

void read_token(HubAccess& access) {
  for (const char* name : {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"}) {
    access.token = trimmed(variable(name));
    access.token_source = name;
    if (!access.token.empty()) return;
  }
  std::string path = folder_variable("HF_TOKEN_PATH");
  if (path.empty()) path = (std::filesystem::path(hub_home_folder()) / "token").string();
  std::error_code problem;
  if (!std::filesystem::is_regular_file(path, problem)) return;
  access.token = trimmed(read_text_file(path, kMaxTokenFileBytes));
  access.token_source = path;
}

}  // namespace

HubAccess hub_access() {
  HubAccess access;
  access.endpoint = variable("HF_ENDPOINT");
  if (access.endpoint.empty()) access.endpoint = "https://huggingface.co";
  while (access.endpoint.ends_with('/')) access.endpoint.pop_back();
  if (url_origin(access.endpoint).empty()) {
    throw usage_error(concat("HF_ENDPOINT is \"", printable(access.endpoint),
                             "\"; it must be an address such as https://huggingface.co"));
  }
  read_token(access);
  if (!is_token(access.token)) {
    throw usage_error(
        concat("the token in ", access.token_source, " holds characters that no token has"));
  }
  return access;
}

bool is_offline_by_environment() {
  std::string value = variable("HF_HUB_OFFLINE");
  if (value.empty()) value = variable("TRANSFORMERS_OFFLINE");
  for (char& c : value) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return value == "1" || value == "ON" || value == "YES" || value == "TRUE";
}

}  // namespace m2
