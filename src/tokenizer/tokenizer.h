// tokenizer: text to token ids, exactly as Hugging Face's BertTokenizerFast gives them. Uses core.
//
// The steps, for each text: added tokens such as [SEP] are taken out; the rest is normalized
// (normalizer.h), split at whitespace and around punctuation, and each word cut into WordPieces;
// special tokens are set around. Offsets count characters (code points) of the text as given.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace m2 {

struct Offsets {
  int64_t begin = 0;
  int64_t end = 0;
  bool operator==(const Offsets&) const = default;
};

enum class TruncationSide { kEnd, kStart };

struct EncodeOptions {
  bool add_special_tokens = true;
  // Most tokens of the result, special ones included; 0: no limit. At least the special tokens'
  // number, or Error(kUsage). Special tokens are never cut.
  int64_t max_length = 0;
  TruncationSide cut = TruncationSide::kEnd;
};

// How much of one text is in the result.
struct TextUse {
  int64_t tokens = 0;       // without special tokens, before the cut
  int64_t kept_tokens = 0;  // after it
  int64_t characters = 0;   // of the text
  Offsets kept;             // characters from which the kept tokens come; all when nothing was cut
  bool cut() const { return kept_tokens < tokens; }
};

struct Encoding {
  std::vector<int32_t> ids;
  std::vector<int32_t> type_ids;
  std::vector<Offsets> offsets;  // {0, 0} for the special tokens set around
  int64_t total_tokens = 0;      // what ids.size() would be without a limit
  std::array<TextUse, 2> texts;  // the second of a pair only
};

// -1 where the vocabulary has no such token.
struct SpecialTokenIds {
  int32_t unk = -1;
  int32_t cls = -1;
  int32_t sep = -1;
  int32_t pad = -1;
  int32_t mask = -1;
};

struct TokenizerParts;

// Safe to use from many threads at once; copies share their tables.
class Tokenizer {
 public:
  // Reads, at `path`,
  // - a folder: its tokenizer.json, or else its vocab.txt; tokenizer_config.json and
  //   special_tokens_map.json are heeded where they lie beside it;
  // - a .json file as tokenizer.json alone, any other file as vocab.txt alone.
  // A tokenizer.json's truncation, padding and decoder sections are not used. What differs from
  // BertNormalizer, BertPreTokenizer, WordPiece and TemplateProcessing or BertProcessing is
  // refused by name. Throws Error(kInput) that names the file.
  // With `lower_case` texts are lower-cased also where these files keep case; accents stay as they
  // say.
  static Tokenizer load(const std::string& path, bool lower_case = false);

  explicit Tokenizer(TokenizerParts parts);

  // `text` is UTF-8, or Error(kInput) that names the first bad byte. Time is linear in its length.
  Encoding encode(std::string_view text, const EncodeOptions& options = {}) const;
  // The limit cuts the longer text first (longest_first).
  Encoding encode_pair(std::string_view first, std::string_view second,
                       const EncodeOptions& options = {}) const;

  // Ids are 0 … vocab_size() - 1, added tokens included.
  int32_t vocab_size() const;
  // Text of a token; empty for an id without one. `id` is in range, or Error(kUsage).
  const std::string& token_text(int32_t id) const;
  // -1 when there is no such token.
  int32_t id_of(std::string_view token) const;
  const SpecialTokenIds& special_ids() const;

 private:
  struct State;
  std::shared_ptr<const State> state_;
};

}  // namespace m2
