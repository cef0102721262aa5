// tokenizer_config.json and special_tokens_map.json: the files of the `transformers` package.
#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>

#include "core/error.h"
#include "core/text.h"
#include "tokenizer/json_document.h"
#include "tokenizer/tokenizer_files.h"

namespace m2 {
namespace {

constexpr size_t kMaxConfigBytes = size_t{8} << 20;

std::optional<bool> optional_boolean(const JsonValue& root, const char* key) {
  if (!root.sets(key)) return std::nullopt;
  return root.at(key).boolean();
}

// A token is written as a string, or as an object with flags.
AddedToken read_token(const JsonValue& value) {
  AddedToken token;
  token.special = true;
  if (value.json().is_string()) {
    token.content = value.string();
    return token;
  }
  token.content = value.at("content").string();
  const auto flag = [&](const char* key, bool& out) {
    if (value.sets(key)) out = value.at(key).boolean();
  };
  flag("single_word", token.single_word);
  flag("lstrip", token.lstrip);
  flag("rstrip", token.rstrip);
  flag("normalized", token.normalized);
  flag("special", token.special);
  return token;
}

void read_special_tokens(const JsonValue& root, TokenizerConfig& config) {
  const auto read = [&](const char* key, AddedToken& token) {
    if (root.sets(key)) token = read_token(root.at(key));
  };
  read("unk_token", config.unk);
  read("cls_token", config.cls);
  read("sep_token", config.sep);
  read("pad_token", config.pad);
  read("mask_token", config.mask);
}

// An object whose keys are ids.
void read_added_tokens(const JsonValue& section, TokenizerConfig& config) {
  if (!section.json().is_object()) section.refuse("must be an object");
  for (const auto& [key, entry] : section.json().items()) {
    const JsonValue value = section.at(key);
    AddedToken token = read_token(value);
    const char* end = key.data() + key.size();
    const auto [stop, problem] = std::from_chars(key.data(), end, token.id);
    if (problem != std::errc{} || stop != end || token.id < 0) value.refuse("is no token id");
    config.added_tokens.push_back(std::move(token));
  }
  // Ids beyond the vocabulary are handed out in order; keys are ordered as text.
  std::sort(config.added_tokens.begin(), config.added_tokens.end(),
            [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
}

}  // namespace

bool file_exists(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

TokenizerConfig read_tokenizer_config(const std::string& folder) {
  TokenizerConfig config;
  config.source = folder + "/tokenizer_config.json";
  if (file_exists(config.source)) {
    const nlohmann::json document = read_json_object(config.source, kMaxConfigBytes);
    const JsonValue root(document, config.source);
    if (root.sets("tokenizer_class")) config.tokenizer_class = root.at("tokenizer_class").string();
    config.do_lower_case = optional_boolean(root, "do_lower_case");
    config.strip_accents = optional_boolean(root, "strip_accents");
    config.tokenize_chinese_chars = optional_boolean(root, "tokenize_chinese_chars");
    read_special_tokens(root, config);
    if (root.sets("added_tokens_decoder")) {
      read_added_tokens(root.at("added_tokens_decoder"), config);
    }
  }
  const std::string map = folder + "/special_tokens_map.json";
  if (file_exists(map)) {
    const nlohmann::json document = read_json_object(map, kMaxConfigBytes);
    read_special_tokens(JsonValue(document, map), config);
  }
  return config;
}

bool is_bert_class(const std::string& tokenizer_class) {
  static constexpr std::array<std::string_view, 7> kClasses = {
      "BertTokenizer",       "DistilBertTokenizer",  "ElectraTokenizer",  "ConvBertTokenizer",
      "MobileBertTokenizer", "SqueezeBertTokenizer", "RetriBertTokenizer"};
  std::string_view name = tokenizer_class;
  if (name.ends_with("Fast")) name.remove_suffix(4);
  return std::find(kClasses.begin(), kClasses.end(), name) != kClasses.end();
}

}  // namespace m2
