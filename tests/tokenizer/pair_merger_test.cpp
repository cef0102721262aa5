// The merging against the same rules applied the slow way: all pairs counted anew for every merge.
#include "tokenizer/pair_merger.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/random.h"

namespace m2 {
namespace {

using Symbols = std::vector<int32_t>;
using Merges = std::vector<std::pair<std::pair<int32_t, int32_t>, uint64_t>>;

struct Corpus {
  std::vector<Symbols> words;
  std::vector<uint64_t> counts;
};

// Few symbols make long runs of equal ones and many equal counts.
Corpus random_corpus(uint64_t seed, int symbols) {
  Random random(seed, "corpus");
  const auto draw = [&](double below) { return static_cast<size_t>(random.uniform(0, below)); };
  Corpus corpus;
  for (size_t word = 0; word < 30; ++word) {
    Symbols& added = corpus.words.emplace_back(1 + draw(12));
    for (int32_t& symbol : added) symbol = static_cast<int32_t>(draw(symbols));
    corpus.counts.push_back(1 + draw(4));
  }
  return corpus;
}

// What a merged pair is called: mostly a new symbol, sometimes one that is there already, as when
// two pairs give the same text.
int32_t symbol_for(int32_t left, int32_t right, int32_t next) {
  return (left + right) % 7 == 0 && left + right > 0 && left + right < next ? left + right : next;
}

// Counts are kept as pairs of neighbours in the words as they are at that moment.
Merges merge_slowly(Corpus corpus, int32_t next, uint64_t least) {
  Merges merges;
  while (true) {
    std::map<std::pair<int32_t, int32_t>, uint64_t> counts;  // in the order that breaks ties
    for (size_t w = 0; w < corpus.words.size(); ++w) {
      const Symbols& word = corpus.words[w];
      for (size_t i = 1; i < word.size(); ++i) {
        counts[{word[i - 1], word[i]}] += corpus.counts[w];
      }
    }
    auto best = counts.begin();
    for (auto at = counts.begin(); at != counts.end(); ++at) {
      if (at->second > best->second) best = at;
    }
    if (best == counts.end() || best->second < least) return merges;
    merges.emplace_back(*best);
    const auto [left, right] = best->first;
    const int32_t merged = symbol_for(left, right, next++);
    for (Symbols& word : corpus.words) {
      Symbols shorter;
      for (size_t i = 0; i < word.size(); ++i) {
        const bool here = i + 1 < word.size() && word[i] == left && word[i + 1] == right;
        shorter.push_back(here ? merged : word[i]);
        if (here) ++i;
      }
      word = shorter;
    }
  }
}

Merges merge_quickly(const Corpus& corpus, int32_t next, uint64_t least) {
  PairMerger merger;
  for (size_t w = 0; w < corpus.words.size(); ++w) {
    merger.add_word(corpus.words[w], corpus.counts[w]);
  }
  Merges merges;
  while (const auto pair = merger.most_frequent(least)) {
    merges.push_back({{pair->left, pair->right}, pair->count});
    merger.merge(pair->left, pair->right, symbol_for(pair->left, pair->right, next++));
  }
  return merges;
}

TEST(PairMerger, GivesTheMergesOfCountingAnew) {
  size_t merges = 0;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    const int symbols = 1 + static_cast<int>(seed % 9);
    const Corpus corpus = random_corpus(seed, symbols);
    for (const uint64_t least : {1u, 5u}) {
      const Merges expected = merge_slowly(corpus, symbols, least);
      ASSERT_EQ(merge_quickly(corpus, symbols, least), expected) << "seed " << seed;
      merges += expected.size();
    }
  }
  EXPECT_GT(merges, 5000u);  // the corpora give something to compare
}

TEST(PairMerger, OneWordMoreIsSeen) {
  Corpus corpus = random_corpus(3, 5);
  const Merges expected = merge_slowly(corpus, 5, 1);
  ++corpus.counts[7];
  EXPECT_NE(merge_quickly(corpus, 5, 1), expected);
}

TEST(PairMerger, TheOrderOfWordsDoesNotMatter) {
  Corpus corpus = random_corpus(4, 6);
  const Merges expected = merge_quickly(corpus, 6, 1);
  std::swap(corpus.words.front(), corpus.words.back());
  std::swap(corpus.counts.front(), corpus.counts.back());
  EXPECT_EQ(merge_quickly(corpus, 6, 1), expected);
}

TEST(PairMerger, OverlappingPairsAreCountedOnceEachAndMergedFromTheLeft) {
  PairMerger merger;
  merger.add_word(Symbols{1, 1, 1, 1, 1}, 3);
  const auto pair = merger.most_frequent(1);
  ASSERT_TRUE(pair);
  EXPECT_EQ(pair->count, 12u);
  merger.merge(1, 1, 2);  // 2 2 1
  const auto next = merger.most_frequent(1);
  ASSERT_TRUE(next);
  EXPECT_EQ(std::make_pair(next->left, next->right), std::make_pair(2, 1));
  EXPECT_EQ(next->count, 3u);
}

TEST(PairMerger, EachWordThatHoldsThePairIsMerged) {
  PairMerger merger;
  merger.add_word(Symbols{1, 2}, 1);
  merger.add_word(Symbols{1, 2}, 1);
  merger.merge(1, 2, 3);
  EXPECT_FALSE(merger.most_frequent(1));
}

TEST(PairMerger, RarePairsStay) {
  PairMerger merger;
  merger.add_word(Symbols{1, 2}, 4);
  EXPECT_FALSE(merger.most_frequent(5));
  EXPECT_TRUE(merger.most_frequent(4));
  merger.merge(7, 8, 9);  // no such pair: nothing happens
  EXPECT_TRUE(merger.most_frequent(4));
}

TEST(PairMerger, NothingHasNoPairs) {
  PairMerger merger;
  EXPECT_FALSE(merger.most_frequent(1));
  merger.add_word(Symbols{}, 5);
  merger.add_word(Symbols{3}, 5);
  EXPECT_FALSE(merger.most_frequent(1));
}

}  // namespace
}  // namespace m2
