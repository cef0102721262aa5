// What stands around a text's tokens, and what is cut so that all fits.
#pragma once

#include <cstdint>
#include <vector>

namespace m2 {

// A position in a template: special tokens, or the tokens of a text.
struct TemplatePiece {
  enum class Kind { kSpecial, kFirst, kSecond };
  Kind kind = Kind::kFirst;
  std::vector<int32_t> ids;  // of kSpecial
  int32_t type_id = 0;
};

struct PostProcessor {
  std::vector<TemplatePiece> single = {{TemplatePiece::Kind::kFirst, {}, 0}};
  std::vector<TemplatePiece> pair = {{TemplatePiece::Kind::kFirst, {}, 0},
                                     {TemplatePiece::Kind::kSecond, {}, 1}};
};

// [CLS] A [SEP] and [CLS] A [SEP] B [SEP], type 1 from B on.
PostProcessor bert_post_processor(int32_t cls, int32_t sep);

int64_t special_tokens_in(const std::vector<TemplatePiece>& pieces);

// How many tokens of each text stay when both together may have `limit`: the longer one gives
// first, then each keeps half, an odd one going to the longer (to the second when equal).
struct PairLengths {
  int64_t first, second;
};
PairLengths longest_first(int64_t first, int64_t second, int64_t limit);

}  // namespace m2
