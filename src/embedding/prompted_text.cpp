#include "embedding/prompted_text.h"

#include <algorithm>

#include "core/error.h"
#include "core/text.h"

namespace m2 {
namespace {

int64_t count_characters(std::string_view text) {
  return std::count_if(text.begin(), text.end(),
                       [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

// Room for a text's own tokens where `limit` are computed.
size_t room_within(int64_t limit, const PromptedText& text, const std::string& name) {
  if (limit > text.around()) return static_cast<size_t>(limit - text.around());
  throw usage_error(concat(name, ": the prompt and the special tokens are ", text.around(),
                           " tokens, which leaves no room for a text within ", limit));
}

Error not_utf8(const char* what, size_t byte) {
  return input_error(concat("the ", what, " is not UTF-8: byte ", byte, " begins no character"));
}

}  // namespace

PromptedText tokenize(const Tokenizer& tokenizer, const std::string& prompt,
                      const std::string& text) {
  PromptedText result;
  if (const size_t bad = find_invalid_utf8(text); bad != text.npos) throw not_utf8("text", bad);
  if (const size_t bad = find_invalid_utf8(prompt); bad != prompt.npos) {
    throw not_utf8("prompt", bad);
  }
  result.encoding = prompt.empty() ? tokenizer.encode(text) : tokenizer.encode(prompt + text);
  const std::vector<Offsets>& offsets = result.encoding.offsets;
  const auto is_special = [](const Offsets& token) { return token == Offsets{}; };
  const auto first = std::find_if_not(offsets.begin(), offsets.end(), is_special);
  const auto last = std::find_if_not(offsets.rbegin(), offsets.rend(), is_special).base();
  result.prompt_characters = count_characters(prompt);
  // Without a token of its own a text is nothing between its special tokens.
  const auto begin = std::min(first, last), end = first == offsets.end() ? begin : last;
  const auto own = std::find_if(
      begin, end, [&](const Offsets& token) { return token.begin >= result.prompt_characters; });
  result.prompt_begin = static_cast<size_t>(begin - offsets.begin());
  result.text_begin = static_cast<size_t>(own - offsets.begin());
  result.text_end = static_cast<size_t>(end - offsets.begin());
  result.characters = result.encoding.texts[0].characters - result.prompt_characters;
  return result;
}

TokenSequence PromptedText::sequence(const TokenRange& range) const {
  TokenSequence sequence;
  const auto append = [&](size_t begin, size_t end) {
    const auto from = static_cast<std::ptrdiff_t>(begin), to = static_cast<std::ptrdiff_t>(end);
    sequence.ids.insert(sequence.ids.end(), encoding.ids.begin() + from, encoding.ids.begin() + to);
    sequence.types.insert(sequence.types.end(), encoding.type_ids.begin() + from,
                          encoding.type_ids.begin() + to);
  };
  append(0, text_begin);
  append(text_begin + range.begin, text_begin + range.end);
  append(text_end, encoding.ids.size());
  sequence.mask.assign(sequence.ids.size(), 1);
  return sequence;
}

int64_t PromptedText::begin_of(size_t token) const {
  if (token == 0) return 0;
  if (token == text_tokens()) return characters;
  return encoding.offsets[text_begin + token].begin - prompt_characters;
}

Offsets PromptedText::kept(const TokenRange& range) const {
  if (range.end == text_tokens()) return {begin_of(range.begin), characters};
  return {begin_of(range.begin),
          encoding.offsets[text_begin + range.end - 1].end - prompt_characters};
}

Offsets PromptedText::span(const TokenRange& range) const {
  return {begin_of(range.begin), range.end == text_tokens() ? characters : begin_of(range.end)};
}

std::vector<TokenRange> cut_range(const PromptedText& text, const EmbedOptions& options,
                                  const Model& model, const std::string& name) {
  const int64_t longest = model.longest_text();
  const size_t count = text.text_tokens();
  if (text.total() <= longest) return {{0, count}};
  if (options.truncation == Truncation::kError) {
    throw input_error(concat(name, ": the text has ", text.total(), " tokens, the model takes ",
                             longest, "; cut it with --truncate end or start, or --chunk ",
                             longest));
  }
  const size_t room = room_within(longest, text, name);
  if (options.truncation == Truncation::kEnd) return {{0, room}};
  return {{count - room, count}};
}

std::vector<TokenRange> chunk_ranges(const PromptedText& text, const EmbedOptions& options,
                                     const std::string& name) {
  const size_t room = room_within(options.chunk, text, name);
  const size_t overlap = static_cast<size_t>(options.overlap);
  if (overlap >= room) {
    throw usage_error(concat(name, ": an overlap of ", overlap,
                             " tokens leaves a chunk nothing of "
                             "its own: beside prompt and special tokens it has room for ",
                             room));
  }
  const size_t count = text.text_tokens();
  std::vector<TokenRange> ranges;
  size_t begin = 0;
  while (count - begin > room) {
    ranges.push_back({begin, begin + room});
    begin += room - overlap;
  }
  ranges.push_back({begin, count});
  return ranges;
}

void check_chunks(const EmbedOptions& options, const Model& model) {
  if (options.chunk == 0) {
    if (options.overlap != 0) throw usage_error("an overlap is one of chunks; give --chunk too");
    return;
  }
  if (options.truncation != Truncation::kError) {
    throw usage_error("a text is cut into chunks or truncated, not both");
  }
  if (options.chunk < 1 || options.chunk > model.longest_text()) {
    throw usage_error(concat("a chunk of ", options.chunk, " tokens: the model takes from 1 to ",
                             model.longest_text()));
  }
  if (options.overlap < 0) throw usage_error("an overlap is not negative");
}

}  // namespace m2
