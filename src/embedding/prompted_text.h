// A text's tokens behind its prompt's, and the pieces of them that are computed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "embedding/embedder.h"

namespace m2 {

// Which of a text's own tokens.
struct TokenRange {
  size_t begin = 0;
  size_t end = 0;
  size_t size() const { return end - begin; }
};

// Tokens of prompt and text, read as one: special ones, the prompt's, the text's, special ones. A
// token of which the prompt has a part is the prompt's.
struct PromptedText {
  Encoding encoding;
  size_t prompt_begin = 0, text_begin = 0, text_end = 0;  // in the encoding
  int64_t prompt_characters = 0;
  int64_t characters = 0;  // of the text

  size_t text_tokens() const { return text_end - text_begin; }
  int64_t total() const { return static_cast<int64_t>(encoding.ids.size()); }
  // Tokens that are computed beside any piece of the text.
  int64_t around() const { return total() - static_cast<int64_t>(text_tokens()); }

  // A piece of the text as it is computed: between the special tokens, behind the prompt.
  TokenSequence sequence(const TokenRange& range) const;
  // Characters of the text that a piece's tokens come from; an end that was not cut is the text's.
  Offsets kept(const TokenRange& range) const;
  // The same with what follows up to the next token, so that spans of neighbours leave no
  // character out.
  Offsets span(const TokenRange& range) const;

 private:
  int64_t begin_of(size_t token) const;
};

// Error(kInput) where the text is no UTF-8.
PromptedText tokenize(const Tokenizer& tokenizer, const std::string& prompt,
                      const std::string& text);

// The piece of a text that the model takes, whole or cut as the options say.
std::vector<TokenRange> cut_range(const PromptedText& text, const EmbedOptions& options,
                                  const Model& model, const std::string& name);

// The pieces of a text that options.chunk makes.
std::vector<TokenRange> chunk_ranges(const PromptedText& text, const EmbedOptions& options,
                                     const std::string& name);

// Error(kUsage) for chunks that no text of this model can be cut into.
void check_chunks(const EmbedOptions& options, const Model& model);

}  // namespace m2
