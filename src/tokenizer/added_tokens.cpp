#include "tokenizer/added_tokens.h"

#include "core/error.h"
#include "core/text.h"
#include "tokenizer/unicode.h"

namespace m2 {
namespace {

// Properties of the character that begins at `at`; 0 at the end.
uint16_t properties_at(std::string_view text, size_t at, size_t& length) {
  char32_t code_point = 0;
  length = static_cast<size_t>(decode_utf8(text.substr(at), code_point));
  return length == 0 ? uint16_t{0} : unicode::properties(code_point);
}

// Properties of the character that ends at `end`; 0 at the beginning.
uint16_t properties_before(std::string_view text, size_t end, size_t& length) {
  if (end == 0) return 0;
  size_t at = end - 1;
  while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) --at;
  return properties_at(text, at, length);
}

bool stands_alone(std::string_view text, size_t begin, size_t end) {
  size_t length = 0;
  return (properties_before(text, begin, length) & unicode::kWord) == 0 &&
         (properties_at(text, end, length) & unicode::kWord) == 0;
}

size_t skip_blanks_back(std::string_view text, size_t limit, size_t at) {
  size_t length = 0;
  while (at > limit && (properties_before(text, at, length) & unicode::kWhitespace) != 0) {
    at -= length;
  }
  return at;
}

size_t skip_blanks(std::string_view text, size_t at) {
  size_t length = 0;
  while ((properties_at(text, at, length) & unicode::kWhitespace) != 0) at += length;
  return at;
}

}  // namespace

bool AddedTokenMatcher::add(std::string_view pattern, const AddedToken& token) {
  M2_CHECK(!pattern.empty());
  if (!trie_.insert(pattern, static_cast<int32_t>(tokens_.size()))) return false;
  tokens_.push_back(token);
  begins_[static_cast<unsigned char>(pattern[0])] = true;
  return true;
}

const AddedToken* AddedTokenMatcher::longest_at(std::string_view text, size_t begin,
                                                size_t& end) const {
  const AddedToken* longest = nullptr;
  uint32_t node = ByteTrie::kRoot;
  for (size_t at = begin; at < text.size();) {
    node = trie_.step(node, static_cast<unsigned char>(text[at++]));
    if (node == ByteTrie::kNone) break;
    if (trie_.value(node) == ByteTrie::kNoValue) continue;
    longest = &tokens_[static_cast<size_t>(trie_.value(node))];
    end = at;
  }
  return longest;
}

void AddedTokenMatcher::split(std::string_view text, std::vector<Match>& out) const {
  out.clear();
  size_t covered = 0;
  size_t blanks_begin = 0, blanks_end = 0;  // looked at last: no run of blanks is walked twice
  for (size_t at = 0; at < text.size() && !empty();) {
    size_t end = 0;
    const bool may_begin = begins_[static_cast<unsigned char>(text[at])];
    const AddedToken* token = may_begin ? longest_at(text, at, end) : nullptr;
    if (token == nullptr) {
      ++at;
      continue;
    }
    size_t begin = at;
    at = end;  // also after a match that single_word refuses
    if (token->single_word && !stands_alone(text, begin, end)) continue;
    if (token->lstrip && begin > covered) begin = skip_blanks_back(text, covered, begin);
    if (token->lstrip && begin < covered) begin = covered;
    if (token->rstrip) {
      if (end < blanks_begin || end > blanks_end) {
        blanks_begin = end;
        blanks_end = skip_blanks(text, end);
      }
      end = blanks_end;
    }
    if (end <= begin) continue;  // an lstrip token inside blanks already taken; the oracle fails
    if (covered < begin) out.push_back({covered, begin, -1});
    out.push_back({begin, end, token->id});
    covered = end;
  }
  if (covered < text.size()) out.push_back({covered, text.size(), -1});
}

}  // namespace m2
