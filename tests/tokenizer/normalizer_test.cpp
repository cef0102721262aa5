#include "tokenizer/normalizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/text.h"
#include "tokenizer/unicode.h"

namespace m2 {
namespace {

using ::testing::ElementsAre;

constexpr NormalizerOptions kNone{false, false, false, false};

NormalizedText normalized(const std::string& text, const NormalizerOptions& options = {}) {
  NormalizedText out;
  Normalizer(options).normalize(text, 0, out);
  return out;
}

// Origins a character, not a byte.
std::vector<uint32_t> origins(const NormalizedText& text) {
  std::vector<uint32_t> out;
  for (size_t at = 0; at < text.bytes.size();) {
    out.push_back(text.origins[at]);
    char32_t ignored = 0;
    at += static_cast<size_t>(decode_utf8(std::string_view(text.bytes).substr(at), ignored));
  }
  return out;
}

TEST(Normalizer, CleanTextDropsControlsAndLevelsBlanks) {
  NormalizerOptions options = kNone;
  options.clean_text = true;
  const std::string nul("a\0b", 3);
  EXPECT_EQ(normalized(nul, options).bytes, "ab");
  EXPECT_EQ(normalized("a\uFFFDb\u200Bc\u00ADd\x7F", options).bytes, "abcd");
  EXPECT_EQ(normalized("a\tb\nc\rd\u00A0e\u3000f\u2028g", options).bytes, "a b c d e f g");
  EXPECT_EQ(normalized("a\x0b\x0c\x1c\u0085z", options).bytes, "az");  // controls before blanks
  EXPECT_THAT(origins(normalized("a\u200Bb", options)), ElementsAre(0, 2));
  EXPECT_EQ(normalized("a\t\u200B\uFFFD", kNone).bytes, "a\t\u200B\uFFFD");
}

TEST(Normalizer, ChineseCharactersGetBlanks) {
  NormalizerOptions options = kNone;
  options.handle_chinese_chars = true;
  const NormalizedText text = normalized("a中b\U00020000", options);
  EXPECT_EQ(text.bytes, "a 中 b \U00020000 ");
  EXPECT_THAT(origins(text), ElementsAre(0, 1, 1, 1, 2, 3, 3, 3));
  EXPECT_EQ(normalized("かカ한", options).bytes, "かカ한");
}

TEST(Normalizer, StripAccentsDecomposesAndDropsMarks) {
  NormalizerOptions options = kNone;
  options.strip_accents = true;
  const NormalizedText text = normalized("Éa\u0301\u1E69x", options);
  EXPECT_EQ(text.bytes, "Easx");
  EXPECT_THAT(origins(text), ElementsAre(0, 1, 3, 4));
  EXPECT_EQ(normalized("\u0301", options).bytes, "");
  EXPECT_EQ(normalized("ø\u0142", options).bytes, "ø\u0142");  // these do not decompose
}

TEST(Normalizer, HangulDecomposes) {
  NormalizerOptions options = kNone;
  options.strip_accents = true;
  const NormalizedText text = normalized("가각힣", options);
  EXPECT_EQ(text.bytes, "\u1100\u1161\u1100\u1161\u11A8\u1112\u1175\u11C2");
  EXPECT_THAT(origins(text), ElementsAre(0, 0, 1, 1, 1, 2, 2, 2));
}

// U+302E is a spacing mark of class 224: it is kept, and moves before a mark of class 230.
TEST(Normalizer, ReorderedMarksTakeOriginsByPlace) {
  NormalizerOptions options = kNone;
  options.strip_accents = true;
  const NormalizedText after_mark = normalized("a\u0301\u302Eb", options);
  EXPECT_EQ(after_mark.bytes, "a\u302Eb");
  EXPECT_THAT(origins(after_mark), ElementsAre(0, 1, 3));
  const NormalizedText in_order = normalized("a\u302E\u0301b", options);
  EXPECT_THAT(origins(in_order), ElementsAre(0, 1, 3));
  EXPECT_THAT(origins(normalized("a\u302E\u302Fb", options)), ElementsAre(0, 1, 2, 3));
  // The accent that came out of é is not the start of a character: it takes no origin.
  EXPECT_THAT(origins(normalized("é\u302E", options)), ElementsAre(0, 1));
  EXPECT_THAT(origins(normalized("\U0001D15E\u302E", options)), ElementsAre(0, 0, 1));
  // Removed characters do not end a run of marks.
  NormalizerOptions clean = options;
  clean.clean_text = true;
  EXPECT_THAT(origins(normalized("a\u0301\u200D\x01\u302E", clean)), ElementsAre(0, 1));
}

TEST(Normalizer, LowerCaseKnowsNoContext) {
  NormalizerOptions options = kNone;
  options.lowercase = true;
  EXPECT_EQ(normalized("ÀSS ẞ ΣΑΣ Ω\u2126", options).bytes, "àss ß σασ ωω");
  const NormalizedText dotted = normalized("xİy", options);
  EXPECT_EQ(dotted.bytes, "xi\u0307y");
  EXPECT_THAT(origins(dotted), ElementsAre(0, 1, 1, 2));
  EXPECT_EQ(normalized("İ").bytes, "i");  // decomposed and stripped first
}

TEST(Normalizer, FirstCharacterShiftsOrigins) {
  NormalizedText out;
  Normalizer({}).normalize("aé", 7, out);
  EXPECT_THAT(out.origins, ElementsAre(7, 8));
}

TEST(Unicode, RanksFollowTheCombiningClasses) {
  EXPECT_EQ(unicode::combining_rank('a'), 0);
  EXPECT_EQ(unicode::combining_rank(0x10FFFF), 0);
  EXPECT_LT(0, unicode::combining_rank(0x0334));                                // class 1
  EXPECT_LT(unicode::combining_rank(0x0334), unicode::combining_rank(0x0323));  // 220
  EXPECT_LT(unicode::combining_rank(0x0323), unicode::combining_rank(0x0301));  // 230
  EXPECT_LT(unicode::combining_rank(0x0301), unicode::combining_rank(0x0345));  // 240
  EXPECT_EQ(unicode::combining_rank(0x0301), unicode::combining_rank(0x0308));
}

TEST(Unicode, AppendUtf8TakesEachLength) {
  for (const char32_t c : {U'\0', U'a', U'\x7F', U'\x80', U'\u07FF', U'\u0800', U'\uFFFF',
                           U'\U00010000', U'\U0010FFFF'}) {
    std::string bytes;
    unicode::append_utf8(c, bytes);
    char32_t back = 1;
    EXPECT_EQ(decode_utf8(bytes, back), static_cast<int>(bytes.size()));
    EXPECT_EQ(back, c);
  }
}

}  // namespace
}  // namespace m2
