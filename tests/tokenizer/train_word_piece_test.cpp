#include "tokenizer/train_word_piece.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <sstream>

#include "core/random.h"
#include "core/threads.h"
#include "tokenizer/tokenizer_files.h"
#include "tokenizer/tokenizer_fixture.h"
#include "tokenizer/write_tokenizer.h"

namespace m2 {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::TemporaryFolder;

constexpr int64_t kLongest = 100;

WordCounts counts_of(const std::vector<std::string>& texts, int threads = 1,
                     const NormalizerOptions& normalizer = {}) {
  ThreadPool pool(threads);
  WordCounter counter(normalizer, kLongest, pool);
  for (const std::string& text : texts) counter.add(text);
  return counter.take();
}

std::map<std::string, uint64_t> as_map(const WordCounts& counts) {
  std::map<std::string, uint64_t> map;
  for (const CountedWord& counted : counts.words) map[counted.word] = counted.count;
  EXPECT_EQ(map.size(), counts.words.size());
  return map;
}

std::vector<std::string> learned(const WordCounts& counts, const WordPieceTraining& training) {
  std::vector<std::string> tokens = train_word_piece(counts, training).model.tokens;
  EXPECT_TRUE(std::equal(kNewSpecialTokens.begin(), kNewSpecialTokens.end(), tokens.begin()));
  tokens.erase(tokens.begin(), tokens.begin() + kNewSpecialTokens.size());
  return tokens;
}

// Words of one to nine letters, some rare ones of two bytes, blanks and line ends between.
std::string random_text(size_t words) {
  Random random(5, "text");
  std::string text;
  for (size_t i = 0; i < words; ++i) {
    const size_t letters = 1 + static_cast<size_t>(random.uniform(0, 9));
    for (size_t j = 0; j < letters; ++j) {
      text += static_cast<char>('a' + static_cast<int>(random.uniform(0, 5)));
    }
    if (i % 50 == 0) text += "ß";
    text += i % 17 == 0 ? '\n' : ' ';
  }
  return text;
}

TEST(WordCounter, CountsWhatTheTokenizerSees) {
  const WordCounts counts = counts_of({"The élan, the ÉLAN!", "the"});
  EXPECT_EQ(as_map(counts),
            (std::map<std::string, uint64_t>{{"!", 1}, {",", 1}, {"elan", 2}, {"the", 3}}));
  EXPECT_EQ(counts.total(), 7u);
  NormalizerOptions cased;
  cased.lowercase = cased.strip_accents = false;
  EXPECT_EQ(as_map(counts_of({"The élan the"}, 1, cased)),
            (std::map<std::string, uint64_t>{{"The", 1}, {"the", 1}, {"élan", 1}}));
}

TEST(WordCounter, AnyThreadsAndAnyPartsGiveTheSame) {
  const std::string text = random_text(200'000);  // several pieces
  ASSERT_GT(text.size(), size_t{512} << 10);
  std::vector<std::string> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  const auto whole = as_map(counts_of({text}));
  EXPECT_EQ(as_map(counts_of({text}, 3)), whole);
  EXPECT_EQ(as_map(counts_of(lines, 4)), whole);
  std::map<std::string, uint64_t> plain;
  std::istringstream words(text);
  for (std::string word; words >> word;) ++plain[word];
  EXPECT_EQ(whole, plain);
}

TEST(WordCounter, OverlongWordsAreCountedAndNotKept) {
  const std::string limit(kLongest, 'x');
  const WordCounts counts = counts_of({limit + " " + limit + "x " + limit + "ß"});
  EXPECT_EQ(as_map(counts), (std::map<std::string, uint64_t>{{limit, 1}}));
  EXPECT_EQ(counts.overlong, 2u);
  // Without a blank in megabytes: cut between characters, never inside one.
  std::string endless;
  while (endless.size() < (size_t{5} << 20)) endless += "日本ß";
  NormalizerOptions plain = NormalizerOptions::none();
  EXPECT_THAT(counts_of({endless}, 2, plain).words, IsEmpty());
}

TEST(WordCounter, TakesAnew) {
  ThreadPool pool(2);
  WordCounter counter({}, kLongest, pool);
  counter.add("one two");
  EXPECT_EQ(counter.take().total(), 2u);
  counter.add("three");
  EXPECT_EQ(as_map(counter.take()), (std::map<std::string, uint64_t>{{"three", 1}}));
  EXPECT_EQ(counter.take().total(), 0u);
}

TEST(WordCounter, BadBytesAreNamed) {
  const std::string said =
      error_of(ErrorKind::kInput, [] { counts_of({"good", "bad \xC3 byte"}); });
  EXPECT_THAT(said, HasSubstr("byte 4"));
}

TEST(WordCounter, ReportsAndCanBeStopped) {
  ThreadPool pool(2);
  uint64_t seen = 0;
  WordCounter counter({}, kLongest, pool, [&](uint64_t bytes) { seen = bytes; });
  counter.add("one two");
  counter.take();
  EXPECT_EQ(seen, 7u);
  WordCounter stopped({}, kLongest, pool, [](uint64_t) { throw failed_error("stop"); });
  stopped.add("one");
  error_of(ErrorKind::kFailed, [&] { stopped.take(); });
}

// By hand: pairs of "hug" 10, "pug" 5, "pun" 12, "bun" 4, "hugs" 5.
TEST(TrainWordPiece, AWorkedExample) {
  const WordCounts counts = {{{"bun", 4}, {"hug", 10}, {"hugs", 5}, {"pug", 5}, {"pun", 12}}, 0};
  EXPECT_THAT(learned(counts, {.vocab_size = 20, .min_frequency = 1}),
              ElementsAre("b", "g", "h", "n", "p", "s", "u", "##g", "##n", "##s", "##u",  //
                          "##ug",                                                         // 20
                          "##un",                                                         // 16
                          "hug",                                                          // 15
                          "pun"));                                                        // 12
  EXPECT_THAT(learned(counts, {.vocab_size = 100, .min_frequency = 13}).back(), "hug");
}

TEST(TrainWordPiece, EqualCountsGoByIds) {
  const WordCounts counts = {{{"cd", 3}, {"ab", 3}}, 0};
  EXPECT_THAT(learned(counts, {.vocab_size = 100, .min_frequency = 1}),
              ElementsAre("a", "b", "c", "d", "##b", "##d", "ab", "cd"));
}

TEST(TrainWordPiece, OneTextOfTwoPairsIsOneToken) {
  // In runs of one letter ##aa ##a and ##a ##aa give the same text.
  WordCounts counts;
  for (size_t length = 1; length <= 12; ++length) {
    counts.words.push_back({std::string(length, 'a'), 1 + length * 7 % 5});
  }
  std::vector<std::string> tokens = learned(counts, {.vocab_size = 100, .min_frequency = 1});
  for (const CountedWord& counted : counts.words) EXPECT_THAT(tokens, Contains(counted.word));
  std::sort(tokens.begin(), tokens.end());
  EXPECT_EQ(std::adjacent_find(tokens.begin(), tokens.end()), tokens.end());
}

TEST(TrainWordPiece, ALimitedAlphabetKeepsTheFrequentCharacters) {
  const WordCounts counts = {{{"ab", 5}, {"ac", 4}, {"az", 1}, {"b", 1}, {"bcz", 3}}, 0};
  const TrainedWordPiece trained =
      train_word_piece(counts, {.vocab_size = 100, .min_frequency = 1, .limit_alphabet = 3});
  EXPECT_EQ(trained.alphabet, 3);
  const std::vector<std::string>& tokens = trained.model.tokens;
  EXPECT_THAT(std::vector<std::string>(tokens.begin() + 5, tokens.end()),
              ElementsAre("a", "b", "c", "##b", "##c", "ab", "ac"));
  EXPECT_EQ(trained.tokens_per_word, 1.0);  // "az" and "bcz" are unknown, one token each
}

TEST(TrainWordPiece, TokensAWord) {
  const WordCounts counts = {{{"ab", 3}, {"cab", 1}}, 2};
  // a, b, c, ##a, ##b and ab: "cab" is three pieces; two overlong words are one each.
  const TrainedWordPiece trained = train_word_piece(counts, {.vocab_size = 11, .min_frequency = 3});
  EXPECT_EQ(trained.model.tokens.back(), "ab");
  EXPECT_DOUBLE_EQ(trained.tokens_per_word, (3 * 1 + 3 + 2) / 6.0);
}

TEST(TrainWordPiece, RefusesWhatCannotBe) {
  EXPECT_THAT(error_of(ErrorKind::kInput, [] { train_word_piece({}, {}); }), HasSubstr("no words"));
  const WordCounts counts = {{{"ab", 3}}, 0};
  EXPECT_THAT(error_of(ErrorKind::kUsage, [&] { train_word_piece(counts, {.vocab_size = 7}); }),
              HasSubstr("no room for the 5 special tokens and the text's 2 characters"));
  EXPECT_EQ(train_word_piece(counts, {.vocab_size = 8}).model.tokens.size(), 8u);
}

TEST(TrainWordPiece, CanBeStopped) {
  const WordCounts counts = counts_of({random_text(2000)});
  int64_t tokens = 0;
  const TrainingReport report = [&](int64_t done) {
    tokens = done;
    if (done > 300) throw failed_error("stop");
  };
  error_of(ErrorKind::kFailed, [&] { train_word_piece(counts, {}, report); });
  EXPECT_GT(tokens, 300);
}

TEST(WriteTokenizer, WhatIsWrittenIsReadAgain) {
  const WordCounts counts = counts_of({random_text(500)});
  NormalizerOptions cased;
  cased.lowercase = cased.strip_accents = false;
  NormalizerOptions odd;
  odd.strip_accents = false;
  for (const NormalizerOptions& normalizer : {NormalizerOptions{}, cased, odd}) {
    const TokenizerParts parts =
        bert_tokenizer(train_word_piece(counts, {.vocab_size = 300}).model, normalizer);
    const TemporaryFolder folder;
    const std::string json = folder.write("tokenizer.json", tokenizer_json_text(parts));
    folder.write("tokenizer_config.json", tokenizer_config_text(parts));
    const std::string vocabulary = folder.write("vocab.txt", vocabulary_text(parts.model));
    EXPECT_EQ(read_tokenizer_json(json).model.tokens, parts.model.tokens);
    EXPECT_EQ(read_vocabulary(vocabulary).tokens, parts.model.tokens);
    const std::string text = "Abc [MASK] bádce ß zz!";
    const Tokenizer from_json = Tokenizer::load(folder.path());
    std::filesystem::remove(json);
    const Tokenizer from_vocabulary = Tokenizer::load(folder.path());
    const Tokenizer made(parts);
    EXPECT_EQ(from_json.encode(text).ids, made.encode(text).ids);
    EXPECT_EQ(from_vocabulary.encode(text).ids, made.encode(text).ids);
    EXPECT_EQ(from_json.encode_pair(text, "a").ids, made.encode_pair(text, "a").ids);
    EXPECT_EQ(from_json.encode_pair(text, "a").type_ids, made.encode_pair(text, "a").type_ids);
    EXPECT_EQ(from_json.special_ids().pad, 0);
    EXPECT_EQ(from_json.special_ids().mask, 4);
  }
}

}  // namespace
}  // namespace m2
