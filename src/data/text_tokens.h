// Ids of texts that are long, or of which only the beginning is wanted.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "tokenizer/tokenizer.h"

namespace m2 {

// A tokenizer without special tokens that takes texts apart: cut behind a blank or a newline, the
// parts have the tokens of the whole, one after the other. Where a token of the vocabulary holds a
// blank this is not so, and texts stay whole.
class TextTokens {
 public:
  explicit TextTokens(const Tokenizer& tokenizer);

  // Errors are Tokenizer::encode's.
  std::vector<int32_t> ids(std::string_view text) const;
  // The first `count` ids, or all. Takes the time of the part that is needed.
  std::vector<int32_t> first_ids(std::string_view text, size_t count) const;
  // `text` in parts of at least `bytes` bytes; the last may have fewer. One without a blank goes on
  // to the next.
  std::vector<std::string_view> parts(std::string_view text, size_t bytes) const;

 private:
  std::string_view first_part(std::string_view text, size_t bytes) const;

  Tokenizer tokenizer_;
  bool parts_allowed_ = true;
};

// What stands around a sample's tokens, and how many there is room for.
struct SampleFrame {
  int32_t cls = -1, sep = -1;
  size_t room = 0;
};

// Of samples of up to `length` ids. Error(kUsage) when that leaves no room, Error(kInput) when the
// vocabulary lacks a token.
SampleFrame sample_frame(const SpecialTokenIds& special, int64_t length);

}  // namespace m2
