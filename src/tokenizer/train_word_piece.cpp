#include "tokenizer/train_word_piece.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "core/error.h"
#include "core/text.h"
#include "tokenizer/pair_merger.h"
#include "tokenizer/unicode.h"
#include "tokenizer/word_piece.h"

namespace m2 {
namespace {

constexpr int64_t kReportEvery = 64;  // tokens

template <class Take>
void for_each_character(std::string_view word, Take&& take) {
  for (size_t at = 0; at < word.size();) {
    char32_t code_point = 0;
    const size_t length = static_cast<size_t>(decode_utf8(word.substr(at), code_point));
    M2_CHECK(length > 0);
    take(code_point, at);
    at += length;
  }
}

struct Character {
  char32_t code_point = 0;
  uint64_t count = 0;
  bool continues = false;  // stands inside words
};

// Characters of the words by code point, the `limit` most frequent ones; of equally frequent ones
// those of the smaller code points.
std::vector<Character> alphabet_of(const WordCounts& counts, int64_t limit) {
  std::unordered_map<char32_t, Character> all;
  for (const CountedWord& counted : counts.words) {
    for_each_character(counted.word, [&](char32_t code_point, size_t at) {
      Character& character = all[code_point];
      character.code_point = code_point;
      character.count += counted.count;
      character.continues = character.continues || at > 0;
    });
  }
  std::vector<Character> alphabet;
  alphabet.reserve(all.size());
  for (const auto& entry : all) alphabet.push_back(entry.second);
  const auto more_frequent = [](const Character& a, const Character& b) {
    return a.count != b.count ? a.count > b.count : a.code_point < b.code_point;
  };
  std::sort(alphabet.begin(), alphabet.end(), more_frequent);
  if (limit > 0 && std::cmp_less(limit, alphabet.size())) {
    alphabet.resize(static_cast<size_t>(limit));
  }
  std::sort(alphabet.begin(), alphabet.end(),
            [](const Character& a, const Character& b) { return a.code_point < b.code_point; });
  return alphabet;
}

// A vocabulary on its way from single characters to whole words.
class Trainer {
 public:
  Trainer(const WordCounts& counts, const WordPieceTraining& training)
      : training_(training), alphabet_(alphabet_of(counts, training.limit_alphabet)) {
    for (const char* token : kNewSpecialTokens) add_token(token);
    add_characters();
    if (size() > training_.vocab_size) refuse_size();
    add_words(counts);
  }

  int64_t alphabet() const { return static_cast<int64_t>(alphabet_.size()); }

  WordPieceModel run(const TrainingReport& report) {
    const uint64_t least = static_cast<uint64_t>(std::max<int64_t>(1, training_.min_frequency));
    while (size() < training_.vocab_size) {
      const auto pair = merger_.most_frequent(least);
      if (!pair) break;
      // Another pair may have given the same text before: then this is no new token.
      merger_.merge(pair->left, pair->right, add_token(joined(pair->left, pair->right)));
      if (report && size() % kReportEvery == 0) report(size());
    }
    return std::move(model_);
  }

 private:
  struct CharacterIds {
    int32_t first = -1;
    int32_t continuing = -1;
  };

  int64_t size() const { return static_cast<int64_t>(model_.tokens.size()); }

  // The token's id, new or not.
  int32_t add_token(const std::string& token) {
    const auto [place, is_new] = ids_.emplace(token, static_cast<int32_t>(size()));
    if (is_new) model_.tokens.push_back(token);
    return place->second;
  }

  std::string joined(int32_t left, int32_t right) const {
    const std::string& continuing = model_.tokens[static_cast<size_t>(right)];
    return model_.tokens[static_cast<size_t>(left)] +
           continuing.substr(model_.continuing_prefix.size());
  }

  void add_characters() {
    for (const Character& character : alphabet_) {
      std::string token;
      unicode::append_utf8(character.code_point, token);
      characters_[character.code_point].first = add_token(token);
    }
    for (const Character& character : alphabet_) {
      if (!character.continues) continue;
      std::string token = model_.continuing_prefix;
      unicode::append_utf8(character.code_point, token);
      characters_[character.code_point].continuing = add_token(token);
    }
  }

  void add_words(const WordCounts& counts) {
    std::vector<int32_t> symbols;
    for (const CountedWord& counted : counts.words) {
      symbols.clear();
      bool known = true;
      for_each_character(counted.word, [&](char32_t code_point, size_t at) {
        const auto ids = characters_.find(code_point);
        known = known && ids != characters_.end();
        if (known) symbols.push_back(at == 0 ? ids->second.first : ids->second.continuing);
      });
      if (known) merger_.add_word(symbols, counted.count);
    }
  }

  [[noreturn]] void refuse_size() const {
    throw usage_error(concat("a vocabulary of ", training_.vocab_size, " has no room for the ",
                             kNewSpecialTokens.size(), " special tokens and the text's ",
                             alphabet(), " characters, at a word's start and inside: ", size(),
                             " tokens; ask for more, or for fewer characters"));
  }

  const WordPieceTraining training_;
  const std::vector<Character> alphabet_;
  WordPieceModel model_;
  std::unordered_map<std::string, int32_t> ids_;  // of model_.tokens
  std::unordered_map<char32_t, CharacterIds> characters_;
  PairMerger merger_;
};

uint64_t count_tokens(const WordPiece& word_piece, const WordCounts& counts) {
  uint64_t tokens = counts.overlong;
  std::vector<WordPiece::Piece> pieces;
  for (const CountedWord& counted : counts.words) {
    int64_t characters = 0;
    for_each_character(counted.word, [&](char32_t, size_t) { ++characters; });
    pieces.clear();
    word_piece.split(counted.word, characters, pieces);
    tokens += counted.count * pieces.size();
  }
  return tokens;
}

}  // namespace

TrainedWordPiece train_word_piece(const WordCounts& counts, const WordPieceTraining& training,
                                  const TrainingReport& report) {
  if (counts.words.empty()) throw input_error("the text holds no words to learn from");
  Trainer trainer(counts, training);
  TrainedWordPiece trained;
  trained.alphabet = trainer.alphabet();
  trained.model = trainer.run(report);
  trained.tokens_per_word = static_cast<double>(count_tokens(WordPiece(trained.model), counts)) /
                            static_cast<double>(counts.total());
  return trained;
}

TokenizerParts bert_tokenizer(WordPieceModel model, const NormalizerOptions& normalizer) {
  TokenizerParts parts;
  parts.normalizer = normalizer;
  const auto id_of = [&](const char* token) {
    const auto place =
        std::find(kNewSpecialTokens.begin(), kNewSpecialTokens.end(), std::string_view(token));
    return static_cast<int32_t>(place - kNewSpecialTokens.begin());
  };
  for (const char* token : kNewSpecialTokens) {
    AddedToken added;
    added.content = token;
    added.id = id_of(token);
    added.special = true;
    M2_CHECK(model.tokens.at(static_cast<size_t>(added.id)) == token);
    parts.added_tokens.push_back(std::move(added));
  }
  parts.post_processor = bert_post_processor(id_of("[CLS]"), id_of("[SEP]"));
  parts.model = std::move(model);
  return parts;
}

}  // namespace m2
