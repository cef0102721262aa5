// Words as sequences of symbols, and the merging of their most frequent neighbours: the loop of
// byte-pair encoding (Sennrich, Haddow and Birch 2016).
#pragma once

#include <cstdint>
#include <optional>
#include <queue>
#include <span>
#include <unordered_map>
#include <vector>

namespace m2 {

class PairMerger {
 public:
  struct Pair {
    int32_t left = 0;
    int32_t right = 0;
    uint64_t count = 0;  // places where the two are neighbours, each as often as its word occurs
  };

  // A word that occurs `count` times; symbols are not negative.
  void add_word(std::span<const int32_t> symbols, uint64_t count);

  // The pair of the largest count, which must be at least `least`; among equal counts that of the
  // smaller left symbol, then of the smaller right one. So words may come in any order.
  std::optional<Pair> most_frequent(uint64_t least);

  // Puts `merged` in the place of each occurrence of left and right, from each word's start on.
  // Time follows the words that hold the pair.
  void merge(int32_t left, int32_t right, int32_t merged);

 private:
  struct Word {
    size_t begin = 0;  // in symbols_
    size_t length = 0;
    uint64_t count = 0;
  };
  struct Occurrences {
    uint64_t count = 0;
    uint64_t queued = 0;          // the count that the queue's valid entry has
    bool waits = false;           // in grown_
    std::vector<uint32_t> words;  // those that may hold the pair; some no longer do
  };
  struct LessUrgent {
    bool operator()(const Pair& a, const Pair& b) const;
  };
  using Key = uint64_t;
  static Key key_of(int32_t left, int32_t right);

  void add_pair(int32_t left, int32_t right, uint32_t word);
  void remove_pair(int32_t left, int32_t right, uint64_t count);
  void merge_in_word(uint32_t index, int32_t left, int32_t right, int32_t merged);
  void queue_grown();

  std::vector<int32_t> symbols_;
  std::vector<Word> words_;
  std::unordered_map<Key, Occurrences> pairs_;  // of a count above zero
  std::vector<Key> grown_;                      // pairs whose count rose since they were queued
  // Counts fall without notice, so that an entry may promise too much: it is then put back lower.
  std::priority_queue<Pair, std::vector<Pair>, LessUrgent> queue_;
};

}  // namespace m2
