// What a tokenizer promises of any text, however it was loaded.
#pragma once

#include <string_view>

#include "core/text.h"
#include "fuzz_input.h"
#include "tokenizer/tokenizer.h"

namespace m2 {

inline void require(bool condition) {
  if (!condition) __builtin_trap();
}

inline void check_encoding(const Tokenizer& tokenizer, const Encoding& encoding,
                           const EncodeOptions& options) {
  require(encoding.type_ids.size() == encoding.ids.size());
  require(encoding.offsets.size() == encoding.ids.size());
  require(encoding.total_tokens >= static_cast<int64_t>(encoding.ids.size()));
  if (options.max_length > 0) {
    require(static_cast<int64_t>(encoding.ids.size()) <= options.max_length);
  }
  for (const int32_t id : encoding.ids) {
    require(id >= 0 && id < tokenizer.vocab_size());
    tokenizer.token_text(id);
  }
  for (const Offsets& at : encoding.offsets) require(0 <= at.begin && at.begin <= at.end);
}

// Encodes the text whole and cut, alone and as a pair; offsets stay inside it.
inline void check_text(const Tokenizer& tokenizer, std::string_view text) {
  for (const bool special : {true, false}) {
    for (const int64_t limit : {0, 4, 9}) {
      const EncodeOptions options = {special, limit,
                                     limit == 4 ? TruncationSide::kStart : TruncationSide::kEnd};
      Encoding encoding;
      try {
        encoding = tokenizer.encode(text, options);
      } catch (const Error& error) {
        // A tokenizer.json may set more special tokens than the limit leaves room for.
        if (error.kind() == ErrorKind::kUsage && limit > 0) continue;
        throw;
      }
      check_encoding(tokenizer, encoding, options);
      const TextUse& use = encoding.texts[0];
      require(use.kept_tokens <= use.tokens && use.characters <= static_cast<int64_t>(text.size()));
      require(0 <= use.kept.begin && use.kept.begin <= use.kept.end &&
              use.kept.end <= use.characters);
      for (const Offsets& at : encoding.offsets) require(at.end <= use.characters);
    }
  }
  const Encoding pair = tokenizer.encode_pair(text, "a second");
  check_encoding(tokenizer, pair, {});
}

// Marks, letters with marks, characters of several bytes, and parts of the seeds' vocabularies.
inline constexpr char kFuzzText[] =
    "[CLS] Hello, w\xc3\xb6rld! e\xcc\x81 \xe4\xbd\xa0\xe5\xa5\xbd [MASK]ing un##able "
    "\xf0\x9f\x98\x80\xc2\xa0"
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "aaaaaaaaaaaa";

}  // namespace m2
