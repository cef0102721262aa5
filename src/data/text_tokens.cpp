#include "data/text_tokens.h"

#include <algorithm>
#include <string>

#include "core/error.h"
#include "core/text.h"

namespace m2 {
namespace {

constexpr std::string_view kBlanks = " \n";

}  // namespace

TextTokens::TextTokens(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {
  for (int32_t id = 0; id < tokenizer.vocab_size() && parts_allowed_; ++id) {
    parts_allowed_ = tokenizer.token_text(id).find_first_of(kBlanks) == std::string::npos;
  }
}

std::vector<int32_t> TextTokens::ids(std::string_view text) const {
  EncodeOptions options;
  options.add_special_tokens = false;
  return tokenizer_.encode(text, options).ids;
}

std::vector<int32_t> TextTokens::first_ids(std::string_view text, size_t count) const {
  constexpr size_t kBytesOfAToken = 8;  // more than most take
  for (size_t bytes = (count + 1) * kBytesOfAToken;; bytes *= 4) {
    const std::string_view part = first_part(text, bytes);
    std::vector<int32_t> found = ids(part);
    if (found.size() < count && part.size() < text.size()) continue;
    found.resize(std::min(found.size(), count));
    return found;
  }
}

std::string_view TextTokens::first_part(std::string_view text, size_t bytes) const {
  if (!parts_allowed_ || bytes >= text.size()) return text;
  const size_t blank = text.find_first_of(kBlanks, std::max<size_t>(bytes, 1) - 1);
  return text.substr(0, blank == text.npos ? blank : blank + 1);
}

std::vector<std::string_view> TextTokens::parts(std::string_view text, size_t bytes) const {
  std::vector<std::string_view> found;
  while (!text.empty()) {
    found.push_back(first_part(text, bytes));
    text.remove_prefix(found.back().size());
  }
  return found;
}

SampleFrame sample_frame(const SpecialTokenIds& special, int64_t length) {
  constexpr int64_t kFrame = 2;
  if (length <= kFrame) {
    throw usage_error(concat("a length of ", length, " leaves no room between [CLS] and [SEP]"));
  }
  if (special.cls < 0 || special.sep < 0) {
    throw input_error("the vocabulary lacks the token that opens or closes a text ([CLS], [SEP])");
  }
  return {special.cls, special.sep, static_cast<size_t>(length - kFrame)};
}

}  // namespace m2
