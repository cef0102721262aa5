// Learns a WordPiece vocabulary from words and their counts, as the trainer of the `tokenizers`
// package does: characters first, then again and again the most frequent pair of neighbouring
// pieces becomes a piece, whose text may begin with "##" where it does not begin a word.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tokenizer/tokenizer_parts.h"
#include "tokenizer/word_counter.h"

namespace m2 {

// The first ids of a new vocabulary, so that [PAD] is 0.
inline constexpr std::array<const char*, 5> kNewSpecialTokens = {"[PAD]", "[UNK]", "[CLS]", "[SEP]",
                                                                 "[MASK]"};

struct WordPieceTraining {
  int64_t vocab_size = 30522;     // special tokens included
  int64_t min_frequency = 2;      // of a pair that becomes a piece
  int64_t limit_alphabet = 1000;  // most different characters, the frequent ones; 0: all
};

struct TrainedWordPiece {
  WordPieceModel model;  // `tokens` may be fewer than asked for: no pair was frequent enough
  int64_t alphabet = 0;  // characters that are pieces
  // Pieces that the model cuts a counted word into, on average: an unknown word is one.
  double tokens_per_word = 0;
};

// Told now and then how many tokens the vocabulary has; what it throws ends the work.
using TrainingReport = std::function<void(int64_t tokens)>;

// Ids: special tokens; characters by code point; the same after "##", of those that stand inside
// words; merged pieces in their order. Of equally frequent pairs that of the smaller left id, then
// right id comes first, so the vocabulary depends on the counts alone. A word with a character that
// is no piece can only be unknown and teaches nothing. Error(kInput) when there are no words,
// Error(kUsage) when special tokens and characters alone are more than `vocab_size`.
TrainedWordPiece train_word_piece(const WordCounts& counts, const WordPieceTraining& training,
                                  const TrainingReport& report = {});

// A tokenizer of that model, as BertTokenizerFast would be: [CLS] and [SEP] around, the special
// tokens taken from texts as they are. `tokens` begin with kNewSpecialTokens.
TokenizerParts bert_tokenizer(WordPieceModel model, const NormalizerOptions& normalizer);

}  // namespace m2
