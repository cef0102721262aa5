// Added tokens: strings of the text that are one token whatever surrounds them, such as [SEP].
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/byte_trie.h"

namespace m2 {

struct AddedToken {
  std::string content;
  int32_t id = -1;
  bool single_word = false;  // matches only where no letter, digit, mark or '_' touches it
  bool lstrip = false;       // takes the whitespace before it along
  bool rstrip = false;       // takes the whitespace after it along
  bool normalized = false;   // its normal form is looked for in the normal form of the text
  bool special = false;
};

// Longest content in bytes: bounds the work a byte of text.
inline constexpr size_t kMaxAddedTokenBytes = 1000;

class AddedTokenMatcher {
 public:
  struct Match {
    size_t begin, end;  // bytes
    int32_t id;         // -1: the text between matches
  };

  // `pattern` is what to look for, not empty: the token's content or its normal form. False when
  // another token has this pattern.
  bool add(std::string_view pattern, const AddedToken& token);
  bool empty() const { return tokens_.empty(); }

  // Replaces `out` by the cover of `text`: the leftmost matches, the longest of those that begin
  // at one place, and the text between. Empty for an empty text. Matches may overlap where a token
  // begins with whitespace that the one before it has taken; the oracle gives both.
  void split(std::string_view text, std::vector<Match>& out) const;

 private:
  const AddedToken* longest_at(std::string_view text, size_t begin, size_t& end) const;

  ByteTrie trie_;
  std::vector<AddedToken> tokens_;
  std::array<bool, 256> begins_{};  // first bytes of patterns
};

}  // namespace m2
