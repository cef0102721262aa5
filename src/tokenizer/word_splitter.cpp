#include "tokenizer/word_splitter.h"

#include "tokenizer/unicode.h"

namespace m2 {

WordSplitter::WordSplitter() {
  for (char32_t c = 0; c < ascii_.size(); ++c) ascii_[c] = kind_of(c);
}

WordSplitter::Kind WordSplitter::kind_of(char32_t code_point) {
  const uint16_t properties = unicode::properties(code_point);
  if ((properties & unicode::kWhitespace) != 0) return Kind::kBlank;
  if ((properties & unicode::kPunctuation) != 0) return Kind::kPunctuation;
  return Kind::kWord;
}

}  // namespace m2
