// The files of a tokenizer, as text: what Tokenizer::load and the packages `tokenizers` and
// `transformers` read.
#pragma once

#include <string>

#include "tokenizer/tokenizer_parts.h"

namespace m2 {

// vocab.txt: one token a line.
std::string vocabulary_text(const WordPieceModel& model);

// tokenizer.json: BertNormalizer, BertPreTokenizer, TemplateProcessing and WordPiece.
std::string tokenizer_json_text(const TokenizerParts& parts);

// tokenizer_config.json: a BertTokenizer of these special tokens and normalizer.
std::string tokenizer_config_text(const TokenizerParts& parts);

}  // namespace m2
