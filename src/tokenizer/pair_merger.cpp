#include "tokenizer/pair_merger.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "core/error.h"

namespace m2 {

bool PairMerger::LessUrgent::operator()(const Pair& a, const Pair& b) const {
  if (a.count != b.count) return a.count < b.count;
  return std::tie(a.left, a.right) > std::tie(b.left, b.right);
}

PairMerger::Key PairMerger::key_of(int32_t left, int32_t right) {
  return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
}

void PairMerger::add_word(std::span<const int32_t> symbols, uint64_t count) {
  const uint32_t index = static_cast<uint32_t>(words_.size());
  M2_CHECK(words_.size() < UINT32_MAX);
  words_.push_back({symbols_.size(), symbols.size(), count});
  symbols_.insert(symbols_.end(), symbols.begin(), symbols.end());
  for (size_t i = 1; i < symbols.size(); ++i) add_pair(symbols[i - 1], symbols[i], index);
}

void PairMerger::add_pair(int32_t left, int32_t right, uint32_t word) {
  const Key key = key_of(left, right);
  Occurrences& pair = pairs_[key];
  pair.count += words_[word].count;
  if (pair.words.empty() || pair.words.back() != word) pair.words.push_back(word);
  if (!pair.waits) grown_.push_back(key);
  pair.waits = true;
}

void PairMerger::remove_pair(int32_t left, int32_t right, uint64_t count) {
  const auto found = pairs_.find(key_of(left, right));
  found->second.count -= count;
  if (found->second.count == 0) pairs_.erase(found);
}

void PairMerger::queue_grown() {
  for (const Key key : grown_) {
    const auto found = pairs_.find(key);
    if (found == pairs_.end()) continue;
    Occurrences& pair = found->second;
    pair.waits = false;
    if (pair.count <= pair.queued) continue;
    pair.queued = pair.count;
    queue_.push({static_cast<int32_t>(key >> 32), static_cast<int32_t>(key), pair.count});
  }
  grown_.clear();
}

std::optional<PairMerger::Pair> PairMerger::most_frequent(uint64_t least) {
  queue_grown();
  while (!queue_.empty() && queue_.top().count >= least) {
    Pair top = queue_.top();
    const auto found = pairs_.find(key_of(top.left, top.right));
    if (found != pairs_.end() && found->second.queued == top.count) {
      if (found->second.count == top.count) return top;
      found->second.queued = top.count = found->second.count;
      queue_.pop();
      queue_.push(top);
    } else {
      queue_.pop();
    }
  }
  return std::nullopt;
}

void PairMerger::merge(int32_t left, int32_t right, int32_t merged) {
  const auto found = pairs_.find(key_of(left, right));
  if (found == pairs_.end()) return;
  const std::vector<uint32_t> words = std::move(found->second.words);
  found->second.words.clear();
  for (const uint32_t word : words) merge_in_word(word, left, right, merged);
}

void PairMerger::merge_in_word(uint32_t index, int32_t left, int32_t right, int32_t merged) {
  Word& word = words_[index];
  int32_t* symbols = symbols_.data() + word.begin;
  for (size_t i = 0; i + 1 < word.length; ++i) {
    if (symbols[i] != left || symbols[i + 1] != right) continue;
    remove_pair(left, right, word.count);
    if (i > 0) remove_pair(symbols[i - 1], left, word.count);
    if (i + 2 < word.length) remove_pair(right, symbols[i + 2], word.count);
    symbols[i] = merged;
    std::copy(symbols + i + 2, symbols + word.length, symbols + i + 1);
    --word.length;
    if (i > 0) add_pair(symbols[i - 1], merged, index);
    if (i + 1 < word.length) add_pair(merged, symbols[i + 1], index);
  }
}

}  // namespace m2
