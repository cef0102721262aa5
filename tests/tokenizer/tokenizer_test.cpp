#include "tokenizer/tokenizer.h"

#include <gmock/gmock.h>

#include <thread>

#include "tokenizer/tokenizer_fixture.h"

namespace m2 {
namespace {

using testing::added_token;
using testing::bert_parts;
using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::offsets_of;
using testing::tokens_of;

std::string repeated(const std::string& piece, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += piece;
  return out;
}

EncodeOptions limit(int64_t max_length, TruncationSide cut = TruncationSide::kEnd) {
  EncodeOptions options;
  options.max_length = max_length;
  options.cut = cut;
  return options;
}

TEST(WordPieces, LongestFirstFromTheLeft) {
  const Tokenizer tokenizer(bert_parts({"un", "##aff", "##able", "##a", "una", "##ffa", "want"}));
  EXPECT_THAT(tokens_of(tokenizer, "unaffable"), ElementsAre("[UNK]"));  // una has no way on
  EXPECT_THAT(tokens_of(tokenizer, "want wanta"), ElementsAre("want", "want", "##a"));
  EXPECT_THAT(tokens_of(tokenizer, "una unaff able"), ElementsAre("una", "[UNK]", "[UNK]"));
  EXPECT_THAT(offsets_of(tokenizer, "wanta  aff"),
              ElementsAre(Offsets{0, 4}, Offsets{4, 5}, Offsets{7, 10}));
}

TEST(WordPieces, TheWordLimitCountsCharacters) {
  const Tokenizer tokenizer(bert_parts({"x", "##x", "ß", "##ß"}));
  EXPECT_EQ(tokens_of(tokenizer, std::string(100, 'x')).size(), 100u);
  EXPECT_THAT(tokens_of(tokenizer, std::string(101, 'x')), ElementsAre("[UNK]"));
  EXPECT_EQ(tokens_of(tokenizer, repeated("ß", 100)).size(), 100u);
  EXPECT_THAT(offsets_of(tokenizer, repeated("ß", 101) + "x"), ElementsAre(Offsets{0, 102}));
}

TEST(Words, BlanksSplitAndPunctuationStandsAlone) {
  const Tokenizer tokenizer(bert_parts({"a", "b", ".", "!", "-", "。", "$", "_"}));
  EXPECT_THAT(tokens_of(tokenizer, " a.b!! \u3000a。b-$_ "),
              ElementsAre("a", ".", "b", "!", "!", "a", "。", "b", "-", "$", "_"));
  EXPECT_THAT(offsets_of(tokenizer, "a。 b"),
              ElementsAre(Offsets{0, 1}, Offsets{1, 2}, Offsets{3, 4}));
}

TEST(Words, OffsetsCountCharactersOfTheOriginal) {
  const Tokenizer tokenizer(bert_parts({"e", "##e", "中", "i"}));
  // A dropped control, an accent that stands alone, an ideograph, a four-byte character.
  EXPECT_THAT(offsets_of(tokenizer, "\u200Be\u0301é 中\U0001F600é"),
              ElementsAre(Offsets{1, 2}, Offsets{3, 4}, Offsets{5, 6}, Offsets{6, 8}));
}

TEST(AddedTokens, MatchBeforeNormalization) {
  const Tokenizer tokenizer(bert_parts({"a", "b", "[", "]", "mask", "se"}));
  EXPECT_THAT(tokens_of(tokenizer, "a[MASK]b [SEP][mask]"),
              ElementsAre("a", "[MASK]", "b", "[SEP]", "[", "mask", "]"));
  EXPECT_THAT(tokens_of(tokenizer, "[[SE"), ElementsAre("[", "[", "se"));
  EXPECT_THAT(offsets_of(tokenizer, "é[MASK]b"),
              ElementsAre(Offsets{0, 1}, Offsets{1, 7}, Offsets{7, 8}));
}

Tokenizer with_token(const std::string& content, void (*change)(AddedToken&)) {
  TokenizerParts parts = bert_parts({"a", "b", "<", "t", ">"});
  AddedToken token = added_token(content, 10);
  change(token);
  parts.added_tokens.push_back(token);
  return Tokenizer(std::move(parts));
}

TEST(AddedTokens, StripTakesBlanksAlong) {
  const Tokenizer left = with_token("<t>", [](AddedToken& token) { token.lstrip = true; });
  EXPECT_THAT(offsets_of(left, "a \u3000<t> b"),
              ElementsAre(Offsets{0, 1}, Offsets{1, 6}, Offsets{7, 8}));
  const Tokenizer right = with_token("<t>", [](AddedToken& token) { token.rstrip = true; });
  EXPECT_THAT(offsets_of(right, "a <t> \n<t>"),
              ElementsAre(Offsets{0, 1}, Offsets{2, 7}, Offsets{7, 10}));
}

TEST(AddedTokens, SingleWordsTouchNoLetter) {
  const Tokenizer tokenizer = with_token("tt", [](AddedToken& token) { token.single_word = true; });
  EXPECT_THAT(tokens_of(tokenizer, "tt .tt."), ElementsAre("tt", "[UNK]", "tt", "[UNK]"));
  for (const char* text : {"ttt", "att", "tté", "tt_", "tt1", "tt\u0301", "中tt"}) {
    EXPECT_THAT(tokens_of(tokenizer, text), ::testing::Not(::testing::Contains("tt"))) << text;
  }
}

TEST(AddedTokens, NormalizedOnesMatchTheNormalForm) {
  const Tokenizer tokenizer = with_token("Té", [](AddedToken& token) { token.normalized = true; });
  EXPECT_THAT(tokens_of(tokenizer, "aTE\u0301tÉa"), ElementsAre("a", "Té", "Té", "a"));
  EXPECT_THAT(offsets_of(tokenizer, "aTE\u0301tÉa"),
              ElementsAre(Offsets{0, 1}, Offsets{1, 3}, Offsets{4, 6}, Offsets{6, 7}));
}

TEST(AddedTokens, TheLongestOfThoseThatBeginTogether) {
  TokenizerParts parts = bert_parts({"a"});
  parts.added_tokens.push_back(added_token("<t", 6));
  parts.added_tokens.push_back(added_token("<t><u>", 7));
  parts.added_tokens.push_back(added_token("<t>", 8));
  const Tokenizer tokenizer(std::move(parts));
  EXPECT_THAT(tokens_of(tokenizer, "<t><u><t><t"), ElementsAre("<t><u>", "<t>", "<t"));
}

// The second token lies in blanks that the first has taken: both stand.
TEST(AddedTokens, OverlapsKeepCharacterOffsetsRight) {
  TokenizerParts parts = bert_parts({"a", "é"});
  parts.added_tokens.push_back(added_token("<t>", 7));
  parts.added_tokens.back().rstrip = true;
  parts.added_tokens.push_back(added_token("\u00A0\u00A0", 8));
  const Tokenizer tokenizer(std::move(parts));
  EXPECT_THAT(offsets_of(tokenizer, "<t>\u00A0\u00A0\u00A0a"),
              ElementsAre(Offsets{0, 6}, Offsets{3, 5}, Offsets{6, 7}));
}

TEST(Encode, SpecialTokensStandAround) {
  const Tokenizer tokenizer(bert_parts({"a", "b"}));
  const Encoding one = tokenizer.encode("a b");
  EXPECT_THAT(one.ids, ElementsAre(2, 5, 6, 3));
  EXPECT_THAT(one.type_ids, ElementsAre(0, 0, 0, 0));
  EXPECT_THAT(one.offsets, ElementsAre(Offsets{}, Offsets{0, 1}, Offsets{2, 3}, Offsets{}));
  EXPECT_EQ(one.total_tokens, 4);
  const Encoding pair = tokenizer.encode_pair("a", "b");
  EXPECT_THAT(pair.ids, ElementsAre(2, 5, 3, 6, 3));
  EXPECT_THAT(pair.type_ids, ElementsAre(0, 0, 0, 1, 1));
  EncodeOptions bare;
  bare.add_special_tokens = false;
  EXPECT_THAT(tokenizer.encode_pair("a", "b", bare).type_ids, ElementsAre(0, 1));
  EXPECT_THAT(tokenizer.encode("").ids, ElementsAre(2, 3));
  EXPECT_THAT(tokenizer.encode("", bare).ids, IsEmpty());
}

TEST(Encode, TruncationKeepsTheSpecialTokensAndSaysWhatItCut) {
  const Tokenizer tokenizer(bert_parts({"a", "b", "c", "d"}));
  const Encoding end = tokenizer.encode(" a b c d ", limit(4));
  EXPECT_THAT(end.ids, ElementsAre(2, 5, 6, 3));
  EXPECT_EQ(end.total_tokens, 6);
  EXPECT_TRUE(end.texts[0].cut());
  EXPECT_EQ(end.texts[0].tokens, 4);
  EXPECT_EQ(end.texts[0].kept_tokens, 2);
  EXPECT_EQ(end.texts[0].characters, 9);
  EXPECT_EQ(end.texts[0].kept, (Offsets{0, 4}));
  const Encoding start = tokenizer.encode(" a b c d ", limit(4, TruncationSide::kStart));
  EXPECT_THAT(start.ids, ElementsAre(2, 7, 8, 3));
  EXPECT_EQ(start.texts[0].kept, (Offsets{5, 9}));
  const Encoding all = tokenizer.encode(" a b c d ", limit(6));
  EXPECT_FALSE(all.texts[0].cut());
  EXPECT_EQ(all.texts[0].kept, (Offsets{0, 9}));
  const Encoding none = tokenizer.encode("a b", limit(2));
  EXPECT_THAT(none.ids, ElementsAre(2, 3));
  EXPECT_EQ(none.texts[0].kept, (Offsets{0, 0}));
}

TEST(Encode, PairsGiveFromTheLongerOne) {
  const Tokenizer tokenizer(bert_parts({"a", "b"}));
  EXPECT_THAT(tokenizer.encode_pair("a a a a a", "b b", limit(7)).ids,
              ElementsAre(2, 5, 5, 3, 6, 6, 3));
  EXPECT_THAT(tokenizer.encode_pair("a a a a", "b b b b", limit(8)).ids,
              ElementsAre(2, 5, 5, 3, 6, 6, 6, 3));
  EXPECT_THAT(tokenizer.encode_pair("a a a a a", "b b b b", limit(8)).ids,
              ElementsAre(2, 5, 5, 5, 3, 6, 6, 3));
}

TEST(Encode, RefusesWhatItCannotDo) {
  const Tokenizer tokenizer(bert_parts({"a"}));
  EXPECT_THAT(error_of(ErrorKind::kInput, [&] { tokenizer.encode("ab\xC3"); }),
              HasSubstr("byte 2"));
  EXPECT_THAT(error_of(ErrorKind::kInput, [&] { tokenizer.encode_pair("a", "\xED\xA0\x80"); }),
              HasSubstr("byte 0"));
  EXPECT_THAT(error_of(ErrorKind::kUsage, [&] { tokenizer.encode("a", limit(1)); }),
              HasSubstr("2 special tokens"));
  error_of(ErrorKind::kUsage, [&] { tokenizer.encode_pair("a", "a", limit(2)); });
  error_of(ErrorKind::kUsage, [&] { tokenizer.encode("a", limit(-1)); });
  error_of(ErrorKind::kUsage, [&] { tokenizer.token_text(6); });
  error_of(ErrorKind::kUsage, [&] { tokenizer.token_text(-1); });
}

TEST(Vocabulary, NamesAndIds) {
  TokenizerParts parts = bert_parts({"a", "##b"});
  parts.added_tokens.push_back(added_token("<new>", 7));
  const Tokenizer tokenizer(std::move(parts));
  EXPECT_EQ(tokenizer.vocab_size(), 8);
  EXPECT_EQ(tokenizer.token_text(6), "##b");
  EXPECT_EQ(tokenizer.token_text(7), "<new>");
  EXPECT_EQ(tokenizer.id_of("<new>"), 7);
  EXPECT_EQ(tokenizer.id_of("##b"), 6);
  EXPECT_EQ(tokenizer.id_of("b"), -1);
  const SpecialTokenIds& ids = tokenizer.special_ids();
  EXPECT_THAT((std::vector<int32_t>{ids.pad, ids.unk, ids.cls, ids.sep, ids.mask}),
              ElementsAre(0, 1, 2, 3, 4));
}

// Quadratic work on these would take minutes.
TEST(Encode, LongTextsWithoutBlanksTakeLinearTime) {
  TokenizerParts parts = bert_parts({"a", "##a", "[", "é"});
  parts.added_tokens.push_back(added_token("\t", 9));
  parts.added_tokens.back().rstrip = true;
  const Tokenizer tokenizer(std::move(parts));
  const std::string million(1000000, 'a');
  EXPECT_THAT(tokens_of(tokenizer, million), ElementsAre("[UNK]"));
  EXPECT_EQ(tokens_of(tokenizer, std::string(1000000, '[')).size(), 1000000u);
  EXPECT_EQ(tokens_of(tokenizer, std::string(1000000, '\t')).size(), 1000000u);
  EXPECT_THAT(tokens_of(tokenizer, std::string("a").append(repeated("\u0301\u0323", 250000))),
              ElementsAre("a"));
}

TEST(Encode, ManyThreadsMayShareATokenizer) {
  const Tokenizer tokenizer(bert_parts({"a", "##é", "e", "##e", "中"}));
  const std::string text = repeated("aé 中[MASK]e\u0301 각 ", 200);
  const std::vector<int32_t> wanted = tokenizer.encode(text).ids;
  std::vector<std::vector<int32_t>> got(4);
  std::vector<std::jthread> threads;
  for (std::vector<int32_t>& ids : got) {
    threads.emplace_back([&] { ids = tokenizer.encode(text).ids; });
  }
  threads.clear();
  for (const std::vector<int32_t>& ids : got) EXPECT_EQ(ids, wanted);
}

}  // namespace
}  // namespace m2
