#include "tokenizer/post_processor.h"

#include <algorithm>

namespace m2 {

PostProcessor bert_post_processor(int32_t cls, int32_t sep) {
  using Kind = TemplatePiece::Kind;
  const TemplatePiece begin{Kind::kSpecial, {cls}, 0};
  const TemplatePiece end{Kind::kSpecial, {sep}, 0};
  const TemplatePiece last_end{Kind::kSpecial, {sep}, 1};
  return {{begin, {Kind::kFirst, {}, 0}, end},
          {begin, {Kind::kFirst, {}, 0}, end, {Kind::kSecond, {}, 1}, last_end}};
}

int64_t special_tokens_in(const std::vector<TemplatePiece>& pieces) {
  int64_t count = 0;
  for (const TemplatePiece& piece : pieces) count += static_cast<int64_t>(piece.ids.size());
  return count;
}

PairLengths longest_first(int64_t first, int64_t second, int64_t limit) {
  if (first + second <= limit) return {first, second};
  int64_t shorter = std::min(first, second);
  int64_t longer = std::max(shorter, limit - shorter);
  if (shorter + longer > limit) {
    shorter = limit / 2;
    longer = limit - shorter;
  }
  return first > second ? PairLengths{longer, shorter} : PairLengths{shorter, longer};
}

}  // namespace m2
