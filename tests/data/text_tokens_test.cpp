#include "data/text_tokens.h"

#include "data/data_files.h"

namespace m2 {
namespace {

std::vector<int32_t> whole_ids(const Tokenizer& tokenizer, const std::string& text) {
  EncodeOptions options;
  options.add_special_tokens = false;
  return tokenizer.encode(text, options).ids;
}

// Words, punctuation, marks that combine, special tokens and blanks of several kinds.
std::string awkward_text() {
  std::string text;
  for (int i = 0; i < 400; ++i) {
    const char* const kParts[] = {"w1",           " ",           "W2,",   "\n\n",     "\xCC\x81",
                                  "e\xCC\x81w3",  "\xC2\xA0",    "[SEP]", " [MASK] ", "\t",
                                  "\xE4\xB8\xAD", "unknownword", "\r\n"};
    text += kParts[static_cast<size_t>(i * i) % std::size(kParts)];
    text += i % 3 == 0 ? " w7" : "";
  }
  return text;
}

TEST(TextTokens, PartsHaveTheTokensOfTheWhole) {
  const TestFolder folder;
  const Tokenizer tokenizer = word_tokenizer(folder);
  const TextTokens tokens(tokenizer);
  const std::string text = awkward_text();
  const std::vector<int32_t> expected = whole_ids(tokenizer, text);
  for (const size_t bytes : std::initializer_list<size_t>{1, 2, 3, 7, 50, 1000, 100000}) {
    std::vector<int32_t> found;
    std::string joined;
    const auto parts = tokens.parts(text, bytes);
    for (const std::string_view part : parts) {
      joined += part;
      const std::vector<int32_t> ids = tokens.ids(part);
      found.insert(found.end(), ids.begin(), ids.end());
      EXPECT_TRUE(part.size() >= bytes || joined.size() == text.size());
    }
    EXPECT_EQ(joined, text);
    EXPECT_EQ(found, expected) << bytes;
  }
}

TEST(TextTokens, FirstIdsAreThoseOfTheWhole) {
  const TestFolder folder;
  const Tokenizer tokenizer = word_tokenizer(folder);
  const TextTokens tokens(tokenizer);
  const std::vector<std::string> texts = {awkward_text(), "", "w5", std::string(5000, 'x'),
                                          "w1" + std::string(5000, ' ') + "w2"};
  for (const std::string& text : texts) {
    const std::vector<int32_t> all = whole_ids(tokenizer, text);
    for (const size_t count : {size_t{1}, size_t{2}, size_t{10}, size_t{100}, size_t{5000}}) {
      const auto end = all.begin() + static_cast<std::ptrdiff_t>(std::min(count, all.size()));
      EXPECT_EQ(tokens.first_ids(text, count), std::vector<int32_t>(all.begin(), end)) << count;
    }
  }
}

// An added token that holds a blank: parts would tear it.
TEST(TextTokens, TextsStayWholeWhereATokenHoldsABlank) {
  const TestFolder folder;
  word_tokenizer(folder);
  folder.write("tokenizer_config.json",
               R"({"added_tokens_decoder":{"205":{"content":"two words"}}})");
  folder.write("vocab.txt", read_text_file(folder.path("vocab.txt"), 100'000) + "two words\n");
  const Tokenizer tokenizer = Tokenizer::load(folder.path());
  const TextTokens tokens(tokenizer);
  const std::string text = "w1 two words w2";
  ASSERT_EQ(whole_ids(tokenizer, text), (std::vector<int32_t>{6, 205, 7}));
  EXPECT_EQ(tokens.parts(text, 1).size(), 1u);
  EXPECT_EQ(tokens.first_ids(text, 2), (std::vector<int32_t>{6, 205}));
}

TEST(TextTokens, AFrameNeedsRoomAndTokens) {
  EXPECT_EQ(sample_frame(kSpecial, 3).room, 1u);
  EXPECT_THROW(sample_frame(kSpecial, 2), Error);
  EXPECT_THAT(refusal([] { sample_frame({kUnk, -1, kSep, kPad, kMask}, 8); }),
              testing::HasSubstr("[CLS]"));
}

}  // namespace
}  // namespace m2
