#include "tokenizer/tokenizer.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "core/error.h"
#include "core/text.h"
#include "tokenizer/tokenizer_parts.h"
#include "tokenizer/word_splitter.h"

namespace m2 {
namespace {

// Origins are 32-bit.
constexpr size_t kMaxTextBytes = std::numeric_limits<int32_t>::max();

struct TokenList {
  std::vector<int32_t> ids;
  std::vector<Offsets> offsets;
  int64_t characters = 0;

  void add(int32_t id, int64_t begin, int64_t end) {
    ids.push_back(id);
    offsets.push_back({begin, end});
  }
};

// Characters before a byte, in constant time: matches may overlap, so that walking from one to the
// next could go over the same text again and again.
class CharacterIndex {
 public:
  explicit CharacterIndex(std::string_view text) : text_(text) {
    counts_.reserve(text.size() / kStride + 1);
    uint32_t count = 0;
    for (size_t at = 0; at < text.size(); at += kStride) {
      counts_.push_back(count);
      count += count_characters(at, std::min(at + kStride, text.size()));
    }
    counts_.push_back(count);
  }

  uint32_t before(size_t byte) const {
    const size_t block = byte / kStride;
    return counts_[block] + count_characters(block * kStride, byte);
  }

 private:
  static constexpr size_t kStride = 128;

  uint32_t count_characters(size_t begin, size_t end) const {
    const std::string_view part = text_.substr(begin, end - begin);
    return static_cast<uint32_t>(std::count_if(part.begin(), part.end(), [](char c) {
      return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
    }));
  }

  std::string_view text_;
  std::vector<uint32_t> counts_;  // a block each, and the whole text's when that ends a block
};

void check_text(std::string_view text) {
  if (text.size() > kMaxTextBytes) {
    throw input_error(concat("a text of ", bytes_text(text.size()), " is more than the ",
                             bytes_text(kMaxTextBytes), " that one text may have"));
  }
  const size_t bad = find_invalid_utf8(text);
  if (bad != std::string_view::npos) {
    throw input_error(concat("the text is not UTF-8: byte ", bad, " begins no character"));
  }
}

}  // namespace

struct Tokenizer::State {
  explicit State(TokenizerParts parts);

  int32_t id_of(std::string_view token) const;
  TokenList tokenize(std::string_view text) const;
  Encoding assemble(const std::vector<TemplatePiece>& pieces, const std::array<TokenList, 2>& texts,
                    const EncodeOptions& options) const;

  Normalizer normalizer;
  WordSplitter splitter;
  WordPiece word_piece;
  PostProcessor post_processor;
  AddedTokenMatcher raw_tokens;         // looked for in the text as given
  AddedTokenMatcher normalized_tokens;  // looked for in its normal form
  ByteTrie added_ids;                   // all added tokens
  std::vector<std::string> beyond;      // those whose ids follow the vocabulary's
  SpecialTokenIds special;

 private:
  // Buffers of one call.
  struct Scratch {
    NormalizedText text;
    std::vector<AddedTokenMatcher::Match> matches;
    std::vector<WordPiece::Piece> pieces;
  };

  void add_token(const AddedToken& token);
  void tokenize_piece(std::string_view piece, uint32_t first_character, Scratch& scratch,
                      TokenList& out) const;
  void tokenize_normalized(size_t begin, size_t end, Scratch& scratch, TokenList& out) const;
  void tokenize_word(size_t begin, size_t end, int64_t characters, Scratch& scratch,
                     TokenList& out) const;
};

Tokenizer::State::State(TokenizerParts parts)
    : normalizer(parts.normalizer),
      word_piece(std::move(parts.model)),
      post_processor(std::move(parts.post_processor)) {
  for (const AddedToken& token : parts.added_tokens) add_token(token);
  special = {word_piece.unk_id(), id_of(parts.cls_token), id_of(parts.sep_token),
             id_of(parts.pad_token), id_of(parts.mask_token)};
}

int32_t Tokenizer::State::id_of(std::string_view token) const {
  const int32_t id = added_ids.find(token);
  return id >= 0 ? id : word_piece.id_of(token);
}

void Tokenizer::State::add_token(const AddedToken& token) {
  const auto refuse = [&](const std::string& why) {
    return input_error(concat("added token '", printable(token.content), "' ", why));
  };
  const size_t vocabulary = word_piece.model().tokens.size();
  if (token.content.empty()) throw refuse("is empty");
  if (token.content.size() > kMaxAddedTokenBytes) {
    throw refuse(concat("is longer than ", kMaxAddedTokenBytes, " bytes"));
  }
  int32_t expected = word_piece.id_of(token.content);
  if (expected < 0) {
    expected = static_cast<int32_t>(vocabulary + beyond.size());
    beyond.push_back(token.content);
  }
  if (token.id != expected) {
    throw refuse(concat("has the id ", token.id, " where the vocabulary makes it ", expected));
  }
  if (!added_ids.insert(token.content, token.id)) throw refuse("is listed twice");
  std::string pattern = token.content;
  if (token.normalized) {
    NormalizedText normal;
    normalizer.normalize(token.content, 0, normal);
    pattern = normal.bytes;
  }
  if (pattern.empty()) throw refuse("is removed by the normalizer and can match nothing");
  if (!(token.normalized ? normalized_tokens : raw_tokens).add(pattern, token)) {
    throw refuse("cannot be told from another added token");
  }
}

TokenList Tokenizer::State::tokenize(std::string_view text) const {
  check_text(text);
  TokenList out;
  Scratch scratch;
  std::vector<AddedTokenMatcher::Match> matches;
  raw_tokens.split(text, matches);
  const CharacterIndex characters(text);
  for (const AddedTokenMatcher::Match& match : matches) {
    const uint32_t begin = characters.before(match.begin);
    if (match.id >= 0) {
      out.add(match.id, begin, characters.before(match.end));
    } else {
      tokenize_piece(text.substr(match.begin, match.end - match.begin), begin, scratch, out);
    }
  }
  out.characters = characters.before(text.size());
  return out;
}

void Tokenizer::State::tokenize_piece(std::string_view piece, uint32_t first_character,
                                      Scratch& scratch, TokenList& out) const {
  normalizer.normalize(piece, first_character, scratch.text);
  const NormalizedText& text = scratch.text;
  if (normalized_tokens.empty()) {
    return tokenize_normalized(0, text.bytes.size(), scratch, out);
  }
  normalized_tokens.split(text.bytes, scratch.matches);
  for (const AddedTokenMatcher::Match& match : scratch.matches) {
    if (match.id >= 0) {
      out.add(match.id, text.origins[match.begin], int64_t{text.origins[match.end - 1]} + 1);
    } else {
      tokenize_normalized(match.begin, match.end, scratch, out);
    }
  }
}

// Tokens of the bytes begin … end of the normal text.
void Tokenizer::State::tokenize_normalized(size_t begin, size_t end, Scratch& scratch,
                                           TokenList& out) const {
  splitter.split(scratch.text.bytes, begin, end, [&](size_t from, size_t to, int64_t characters) {
    tokenize_word(from, to, characters, scratch, out);
  });
}

void Tokenizer::State::tokenize_word(size_t begin, size_t end, int64_t characters, Scratch& scratch,
                                     TokenList& out) const {
  scratch.pieces.clear();
  word_piece.split(std::string_view(scratch.text.bytes).substr(begin, end - begin), characters,
                   scratch.pieces);
  const uint32_t* origins = scratch.text.origins.data() + begin;
  for (const WordPiece::Piece& piece : scratch.pieces) {
    out.add(piece.id, origins[piece.begin], int64_t{origins[piece.end - 1]} + 1);
  }
}

namespace {

// Which tokens of a text stay: `kept` of them, from one end.
struct TokenRange {
  size_t begin = 0;
  size_t end = 0;
};

TokenRange kept_range(const TokenList& text, int64_t kept, TruncationSide cut) {
  const size_t count = text.ids.size();
  const size_t stay = static_cast<size_t>(kept);
  return cut == TruncationSide::kEnd ? TokenRange{0, stay} : TokenRange{count - stay, count};
}

TextUse use_of(const TokenList& text, TokenRange range) {
  TextUse use;
  use.tokens = static_cast<int64_t>(text.ids.size());
  use.kept_tokens = static_cast<int64_t>(range.end - range.begin);
  use.characters = text.characters;
  if (!use.cut()) {
    use.kept = {0, text.characters};
  } else if (use.kept_tokens == 0) {
    use.kept = {0, 0};
  } else {
    use.kept.begin = range.begin == 0 ? 0 : text.offsets[range.begin].begin;
    use.kept.end = range.end == text.ids.size() ? text.characters : text.offsets[range.end - 1].end;
  }
  return use;
}

void append_text(const TokenList& text, TokenRange range, int32_t type_id, Encoding& out) {
  const auto begin = static_cast<std::ptrdiff_t>(range.begin);
  const auto end = static_cast<std::ptrdiff_t>(range.end);
  out.ids.insert(out.ids.end(), text.ids.begin() + begin, text.ids.begin() + end);
  out.offsets.insert(out.offsets.end(), text.offsets.begin() + begin, text.offsets.begin() + end);
  out.type_ids.resize(out.ids.size(), type_id);
}

}  // namespace

Encoding Tokenizer::State::assemble(const std::vector<TemplatePiece>& pieces,
                                    const std::array<TokenList, 2>& texts,
                                    const EncodeOptions& options) const {
  const int64_t special_tokens = options.add_special_tokens ? special_tokens_in(pieces) : 0;
  PairLengths kept{static_cast<int64_t>(texts[0].ids.size()),
                   static_cast<int64_t>(texts[1].ids.size())};
  Encoding out;
  out.total_tokens = special_tokens + kept.first + kept.second;
  if (options.max_length < 0 || (options.max_length > 0 && options.max_length < special_tokens)) {
    throw usage_error(concat("a maximum length of ", options.max_length, " leaves no room for the ",
                             special_tokens, " special tokens"));
  }
  if (options.max_length > 0) {
    kept = longest_first(kept.first, kept.second, options.max_length - special_tokens);
  }
  const TokenRange first = kept_range(texts[0], kept.first, options.cut);
  const TokenRange second = kept_range(texts[1], kept.second, options.cut);
  out.texts = {use_of(texts[0], first), use_of(texts[1], second)};
  for (const TemplatePiece& piece : pieces) {
    if (piece.kind == TemplatePiece::Kind::kFirst) {
      append_text(texts[0], first, piece.type_id, out);
    } else if (piece.kind == TemplatePiece::Kind::kSecond) {
      append_text(texts[1], second, piece.type_id, out);
    } else if (options.add_special_tokens) {
      out.ids.insert(out.ids.end(), piece.ids.begin(), piece.ids.end());
      out.type_ids.resize(out.ids.size(), piece.type_id);
      out.offsets.resize(out.ids.size());
    }
  }
  return out;
}

Tokenizer::Tokenizer(TokenizerParts parts)
    : state_(std::make_shared<const State>(std::move(parts))) {}

Encoding Tokenizer::encode(std::string_view text, const EncodeOptions& options) const {
  return state_->assemble(state_->post_processor.single, {state_->tokenize(text), TokenList{}},
                          options);
}

Encoding Tokenizer::encode_pair(std::string_view first, std::string_view second,
                                const EncodeOptions& options) const {
  return state_->assemble(state_->post_processor.pair,
                          {state_->tokenize(first), state_->tokenize(second)}, options);
}

int32_t Tokenizer::vocab_size() const {
  return static_cast<int32_t>(state_->word_piece.model().tokens.size() + state_->beyond.size());
}

const std::string& Tokenizer::token_text(int32_t id) const {
  if (id < 0 || id >= vocab_size()) {
    throw usage_error(concat("token id ", id, " is outside 0 … ", vocab_size() - 1));
  }
  const std::vector<std::string>& tokens = state_->word_piece.model().tokens;
  const size_t place = static_cast<size_t>(id);
  return place < tokens.size() ? tokens[place] : state_->beyond[place - tokens.size()];
}

int32_t Tokenizer::id_of(std::string_view token) const {
  return state_->id_of(token);
}

const SpecialTokenIds& Tokenizer::special_ids() const {
  return state_->special;
}

}  // namespace m2
