#include "tokenizer/word_piece.h"

#include <utility>

#include "core/error.h"
#include "core/text.h"

namespace m2 {

WordPiece::WordPiece(WordPieceModel model) : model_(std::move(model)) {
  for (size_t id = 0; id < model_.tokens.size(); ++id) {
    const std::string& token = model_.tokens[id];
    if (token.empty() || trie_.insert(token, static_cast<int32_t>(id))) continue;
    throw input_error(
        concat("token '", printable(token), "' has the ids ", trie_.find(token), " and ", id));
  }
  unk_id_ = trie_.find(model_.unk_token);
  if (unk_id_ < 0) {
    throw input_error(
        concat("the vocabulary lacks the unknown token '", printable(model_.unk_token), "'"));
  }
  continuing_root_ = trie_.walk(model_.continuing_prefix);
}

void WordPiece::split(std::string_view word, int64_t characters, std::vector<Piece>& out) const {
  const size_t before = out.size();
  const auto give_up = [&] {
    out.resize(before);
    out.push_back({unk_id_, 0, word.size()});
  };
  if (characters > model_.max_characters_per_word) return give_up();
  for (size_t begin = 0; begin < word.size();) {
    uint32_t node = begin == 0 ? ByteTrie::kRoot : continuing_root_;
    Piece longest{ByteTrie::kNoValue, begin, begin};
    for (size_t at = begin; at < word.size() && node != ByteTrie::kNone;) {
      node = trie_.step(node, static_cast<unsigned char>(word[at++]));
      if (node != ByteTrie::kNone && trie_.value(node) != ByteTrie::kNoValue) {
        longest.id = trie_.value(node);
        longest.end = at;
      }
    }
    if (longest.id == ByteTrie::kNoValue) return give_up();
    out.push_back(longest);
    begin = longest.end;
  }
}

}  // namespace m2
