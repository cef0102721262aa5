// The readers behind Tokenizer::load. What they throw names the file.
#pragma once

#include <optional>
#include <string>

#include "tokenizer/tokenizer_parts.h"

namespace m2 {

inline constexpr size_t kMaxTokenizerBytes = size_t{32} << 20;  // the largest in use are 10 MB
inline constexpr size_t kMaxTokenBytes = 1000;
inline constexpr int64_t kMaxWordCharacters = 1000;  // bounds the work a character

// What cannot be looked at is taken for missing.
bool file_exists(const std::string& path);

TokenizerParts read_tokenizer_json(const std::string& path);

// One token a line, the line's number its id. As the oracle has it, whitespace at the end of a line
// is no part of the token, and an empty line (also the last) is an id without a token.
WordPieceModel read_vocabulary(const std::string& path);

// tokenizer_config.json and special_tokens_map.json beside a tokenizer: what they say of it.
struct TokenizerConfig {
  std::string source;  // the file to name in messages
  std::string tokenizer_class;
  std::optional<bool> do_lower_case;
  std::optional<bool> strip_accents;
  std::optional<bool> tokenize_chinese_chars;
  // A name and how it matches; content is empty where the files say nothing.
  AddedToken unk, cls, sep, pad, mask;
  std::vector<AddedToken> added_tokens;  // added_tokens_decoder
};

// Files that are not there say nothing.
TokenizerConfig read_tokenizer_config(const std::string& folder);

// Of the tokenizer classes, those that BertTokenizerFast's rules hold for.
bool is_bert_class(const std::string& tokenizer_class);

}  // namespace m2
