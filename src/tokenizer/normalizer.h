// BertNormalizer: the text as the vocabulary knows it, each byte remembering its character.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace m2 {

struct NormalizerOptions {
  bool clean_text = true;            // drops control characters, makes all whitespace blanks
  bool handle_chinese_chars = true;  // blanks around CJK ideographs
  bool strip_accents = true;         // canonical decomposition, then drops nonspacing marks
  bool lowercase = true;

  // What a tokenizer file without a normalizer asks for.
  static NormalizerOptions none() { return {false, false, false, false}; }
};

struct NormalizedText {
  std::string bytes;              // UTF-8
  std::vector<uint32_t> origins;  // for each byte the index of its character in the original text
};

class Normalizer {
 public:
  explicit Normalizer(const NormalizerOptions& options);

  // Replaces `out` by the normal form of `piece` (valid UTF-8), whose first character has index
  // `first_character` in the original text. Origins never decrease. Time and memory are linear,
  // but for runs of combining marks, which are sorted.
  void normalize(std::string_view piece, uint32_t first_character, NormalizedText& out) const;

 private:
  NormalizerOptions options_;
  // For each ASCII character what becomes of it; all of it follows from the same rules.
  std::array<char, 128> ascii_{};
  std::array<bool, 128> ascii_removed_{};
};

}  // namespace m2
