// WordPiece: a word as the longest pieces that the vocabulary has, taken from the left.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/byte_trie.h"

namespace m2 {

struct WordPieceModel {
  std::vector<std::string> tokens;        // by id; an empty one stands for an id without a token
  std::string unk_token = "[UNK]";        // in `tokens`
  std::string continuing_prefix = "##";   // of pieces that do not begin a word
  int64_t max_characters_per_word = 100;  // longer words are unknown
};

class WordPiece {
 public:
  struct Piece {
    int32_t id;
    size_t begin, end;  // bytes of the word
  };

  // Two equal tokens, or no unknown token: Error(kInput) without a file name.
  explicit WordPiece(WordPieceModel model);

  // Appends the pieces of `word`, not empty, of `characters` code points. A word that cannot be
  // covered is one unknown piece. Time is at most the word's length times the longest token's.
  void split(std::string_view word, int64_t characters, std::vector<Piece>& out) const;

  const WordPieceModel& model() const { return model_; }
  int32_t unk_id() const { return unk_id_; }
  // Id of a token, or -1.
  int32_t id_of(std::string_view token) const { return trie_.find(token); }

 private:
  WordPieceModel model_;
  ByteTrie trie_;
  uint32_t continuing_root_ = ByteTrie::kNone;  // the node after continuing_prefix
  int32_t unk_id_ = -1;
};

}  // namespace m2
