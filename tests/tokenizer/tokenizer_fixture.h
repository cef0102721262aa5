// Small tokenizers for the tests, and their files.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/error.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/tokenizer_parts.h"

namespace m2::testing {

// A folder that goes away with its owner.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "m2_tokenizer_XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw failed_error("no temporary folder");
    path_ = name;
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }
  // Writes a file and gives its path.
  std::string write(const std::string& name, const std::string& content) const {
    const std::string file = path_ + "/" + name;
    std::ofstream(file, std::ios::binary) << content;
    return file;
  }

 private:
  std::string path_;
};

// Ids 0 to 4 are the special tokens, `words` follow.
inline std::vector<std::string> vocabulary(const std::vector<std::string>& words) {
  std::vector<std::string> tokens = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
  tokens.insert(tokens.end(), words.begin(), words.end());
  return tokens;
}

inline AddedToken added_token(const std::string& content, int32_t id) {
  AddedToken token;
  token.content = content;
  token.id = id;
  token.special = true;
  return token;
}

inline TokenizerParts bert_parts(const std::vector<std::string>& words) {
  TokenizerParts parts;
  parts.model.tokens = vocabulary(words);
  for (int32_t id = 0; id < 5; ++id) {
    parts.added_tokens.push_back(added_token(parts.model.tokens[static_cast<size_t>(id)], id));
  }
  parts.post_processor = bert_post_processor(2, 3);
  return parts;
}

// Token texts without the special tokens around.
inline std::vector<std::string> tokens_of(const Tokenizer& tokenizer, const std::string& text) {
  EncodeOptions options;
  options.add_special_tokens = false;
  std::vector<std::string> out;
  for (const int32_t id : tokenizer.encode(text, options).ids) {
    out.push_back(tokenizer.token_text(id));
  }
  return out;
}

inline std::vector<Offsets> offsets_of(const Tokenizer& tokenizer, const std::string& text) {
  EncodeOptions options;
  options.add_special_tokens = false;
  return tokenizer.encode(text, options).offsets;
}

// The message of the Error that `body` throws, which must be of `kind` and one line.
template <class Body>
std::string error_of(ErrorKind kind, const Body& body) {
  try {
    body();
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_EQ(error.kind(), kind) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    return message;
  }
  ADD_FAILURE() << "no error";
  return "";
}

}  // namespace m2::testing

namespace m2 {
inline void PrintTo(const Offsets& offsets, std::ostream* out) {
  *out << "{" << offsets.begin << ", " << offsets.end << "}";
}
}  // namespace m2
