// BertPreTokenizer: normal text as words, split at whitespace and around punctuation.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/text.h"

namespace m2 {

class WordSplitter {
 public:
  WordSplitter();

  // Calls take(begin, end, characters) for each word of the bytes begin … end of `text` (valid
  // UTF-8): its bytes, and its length in code points. Punctuation is a word a character.
  template <class Take>
  void split(std::string_view text, size_t begin, size_t end, Take&& take) const;

 private:
  enum class Kind : uint8_t { kWord, kBlank, kPunctuation };
  static Kind kind_of(char32_t code_point);

  std::array<Kind, 128> ascii_{};
};

template <class Take>
void WordSplitter::split(std::string_view text, size_t begin, size_t end, Take&& take) const {
  size_t word = begin;
  int64_t characters = 0;
  for (size_t at = begin; at < end;) {
    const unsigned char byte = static_cast<unsigned char>(text[at]);
    size_t length = 1;
    Kind kind{};
    if (byte < ascii_.size()) {
      kind = ascii_[byte];
    } else {
      char32_t code_point = 0;
      length = static_cast<size_t>(decode_utf8(text.substr(at), code_point));
      kind = kind_of(code_point);
    }
    if (kind == Kind::kWord) {
      ++characters;
    } else {
      if (word < at) take(word, at, characters);
      if (kind == Kind::kPunctuation) take(at, at + length, 1);
      word = at + length;
      characters = 0;
    }
    at += length;
  }
  if (word < end) take(word, end, characters);
}

}  // namespace m2
