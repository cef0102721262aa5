// The words of texts and how often each occurs: what a vocabulary is learned from.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/threads.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/word_splitter.h"

namespace m2 {

struct CountedWord {
  std::string word;  // UTF-8, in normal form
  uint64_t count = 0;
};

struct WordCounts {
  std::vector<CountedWord> words;  // each once, by their bytes
  uint64_t overlong = 0;           // occurrences of words above the limit, which are not kept

  uint64_t total() const;
};

// Words are those that a Tokenizer sees: normalized, then split. What is counted does not depend on
// the number of threads nor on how texts are handed over.
class WordCounter {
 public:
  // Told after each batch how many bytes of text have been counted; what it throws ends the work.
  using Report = std::function<void(uint64_t bytes)>;

  // Words of more than `max_characters` code points are overlong. `executor` outlives the counter.
  WordCounter(const NormalizerOptions& normalizer, int64_t max_characters, Executor& executor,
              Report report = {});

  // `text` is UTF-8, or Error(kInput) that names the first bad byte.
  void add(std::string_view text);

  // What was counted since the last call.
  WordCounts take();

 private:
  // Lets a string_view be looked up without a copy.
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view word) const { return std::hash<std::string_view>{}(word); }
  };
  using Counts = std::unordered_map<std::string, uint64_t, Hash, std::equal_to<>>;
  struct Worker {
    NormalizedText text;
    Counts counts;
    uint64_t overlong = 0;
  };

  void append(std::string_view piece);
  void count_pieces();
  void count(std::string_view piece, Worker& worker) const;

  Normalizer normalizer_;
  WordSplitter splitter_;
  int64_t max_characters_;
  Executor& executor_;
  Report report_;
  std::vector<Worker> workers_;
  std::vector<std::string> pieces_;  // texts that wait to be counted
  uint64_t waiting_ = 0;             // their bytes
  uint64_t counted_ = 0;             // bytes
};

}  // namespace m2
