// What a tokenizer is made of, as the readers of files find it.
#pragma once

#include <string>
#include <vector>

#include "tokenizer/added_tokens.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/post_processor.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/word_piece.h"

namespace m2 {

struct TokenizerParts {
  NormalizerOptions normalizer;
  bool lower_case_first = false;  // before the normalizer, whatever it does itself
  WordPieceModel model;
  // Ids below the vocabulary's size name tokens of it; those above follow on without a hole.
  std::vector<AddedToken> added_tokens;
  PostProcessor post_processor;
  // Names of the special tokens but the unknown one, which the model names.
  std::string cls_token = "[CLS]";
  std::string sep_token = "[SEP]";
  std::string pad_token = "[PAD]";
  std::string mask_token = "[MASK]";
};

}  // namespace m2
