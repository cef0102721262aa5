#include "embedding/embedder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/text.h"
#include "inference/small_model.h"

namespace m2 {
namespace {

struct Embedded {
  TextVectors report;
  std::vector<float> values;
};

class EmbedderTest : public testing::TestWithParam<Padding> {
 protected:
  EmbedderTest()
      : model_(small_model(GetParam())), embedder_(model_, load_tokenizer("", *model_), {1}) {}

  std::vector<Embedded> embed(const std::vector<NamedText>& texts,
                              const EmbedOptions& options = {}) {
    std::vector<Embedded> found;
    size_t index = 0, chunk = 0;
    embedder_.embed(texts, options, [&](const TextVectors& vectors) {
      EXPECT_EQ(vectors.index, index);
      EXPECT_EQ(vectors.chunk, chunk++);
      if (chunk >= vectors.chunks) ++index, chunk = 0;
      found.push_back({vectors, {vectors.values.begin(), vectors.values.end()}});
    });
    EXPECT_EQ(index, texts.size());
    return found;
  }

  // The vector of ids as the contract computes them.
  std::vector<float> vector_of_ids(const std::vector<int32_t>& ids) {
    TokenSequence sequence = {ids, std::vector<int32_t>(ids.size()),
                              std::vector<int32_t>(ids.size(), 1)};
    if (GetParam() == Padding::kMaxLength) {
      sequence.ids.resize(kSmallModelLength, 0);
      sequence.types.resize(kSmallModelLength, 0);
      sequence.mask.resize(kSmallModelLength, 0);
    }
    return vectors_of(embedder_.session(), {sequence})[0];
  }

  std::string refusal(ErrorKind kind, const NamedText& text, const EmbedOptions& options = {}) {
    try {
      embed({{"w5", "a good one"}, text}, options);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), kind);
      return error.what();
    }
    ADD_FAILURE() << "no error";
    return "";
  }

  std::shared_ptr<const Model> model_;
  Embedder embedder_;
};

std::string contract_of(const testing::TestParamInfo<Padding>& info) {
  return padding_name(info.param);
}

INSTANTIATE_TEST_SUITE_P(Contracts, EmbedderTest,
                         testing::Values(Padding::kNone, Padding::kMaxLength), contract_of);

// A text of that many words, none like the one before.
std::string words(size_t count) {
  std::string text;
  for (size_t i = 0; i < count; ++i) text += concat(i == 0 ? "w" : " w", 5 + i * i % 59);
  return text;
}

TEST_P(EmbedderTest, ATextIsItsIdsUnderTheContract) {
  for (const size_t count : {1u, 14u, 15u, 254u, 255u, 598u}) {
    const auto found = embed({{words(count), "text"}});
    const auto ids = embedder_.tokenizer().encode(words(count)).ids;
    ASSERT_EQ(ids.size(), count + 2);
    EXPECT_EQ(found[0].values, vector_of_ids(ids)) << count;
    EXPECT_EQ(found[0].report.tokens, static_cast<int64_t>(ids.size()));
    EXPECT_FALSE(found[0].report.truncated);
  }
}

TEST_P(EmbedderTest, TruncationKeepsSpecialTokensAndReports) {
  const std::string text = words(700);
  for (const Truncation truncation : {Truncation::kEnd, Truncation::kStart}) {
    EmbedOptions options;
    options.truncation = truncation;
    const auto found = embed({{text, "text"}, {words(3), "short"}}, options);
    const TextVectors& report = found[0].report;
    EXPECT_TRUE(report.truncated);
    EXPECT_EQ(report.tokens, kSmallModelLength);
    EXPECT_EQ(report.total_tokens, 702);
    EXPECT_EQ(report.characters, static_cast<int64_t>(text.size()));
    // Each word is a token: what is kept is a text of its own with the same vector.
    const auto begin = static_cast<size_t>(report.kept.begin);
    const auto length = static_cast<size_t>(report.kept.end) - begin;
    EXPECT_EQ(begin == 0, truncation == Truncation::kEnd);
    EXPECT_EQ(embed({{text.substr(begin, length), "kept"}})[0].values, found[0].values);
    EXPECT_FALSE(found[1].report.truncated);
  }
}

TEST_P(EmbedderTest, RowsOfATextAreItsTokens) {
  EmbedOptions options;
  options.pooling = Pooling::kNone;
  const auto found = embed({{words(5), "text"}}, options);
  EXPECT_EQ(found[0].report.rows, 7u);
  EXPECT_EQ(found[0].values.size(), 7u * 40u);
}

TEST_P(EmbedderTest, APromptStandsBeforeTheText) {
  EmbedOptions options;
  options.prompt = "w7 w8 ";
  const auto found = embed({{words(3), "text"}}, options);
  EXPECT_EQ(found[0].values, embed({{"w7 w8 " + words(3), "text"}})[0].values);
  EXPECT_NE(found[0].values, embed({{words(3), "text"}})[0].values);
  EXPECT_EQ(found[0].report.tokens, 7);
  EXPECT_EQ(found[0].report.characters, static_cast<int64_t>(words(3).size()));
  EXPECT_EQ(found[0].report.kept, (Offsets{0, static_cast<int64_t>(words(3).size())}));
}

TEST_P(EmbedderTest, TruncationCutsBehindThePrompt) {
  EmbedOptions options;
  options.prompt = "w7 w8 ";
  options.truncation = Truncation::kStart;
  const std::string text = words(700);
  const auto found = embed({{text, "text"}}, options);
  EXPECT_EQ(found[0].report.tokens, kSmallModelLength);
  const std::string kept = text.substr(static_cast<size_t>(found[0].report.kept.begin));
  EXPECT_EQ(found[0].values, embed({{"w7 w8 " + kept, "kept"}})[0].values);
  EXPECT_EQ(found[0].report.kept.end, static_cast<int64_t>(text.size()));
}

TEST_P(EmbedderTest, ChunksAreTheVectorsOfTheirIds) {
  const std::string text = " \t" + words(40) + "  ";
  const auto whole = embedder_.tokenizer().encode(text).ids;
  for (const std::string prompt : {"", "w9 w6 "}) {
    for (const int64_t overlap : {0, 1, 5}) {
      EmbedOptions options;
      options.prompt = prompt;
      options.chunk = 11;
      options.overlap = overlap;
      const size_t around = prompt.empty() ? 2 : 4;
      const size_t room = 11 - around, step = room - static_cast<size_t>(overlap);
      const auto found = embed({{text, "text"}}, options);
      ASSERT_EQ(found.size(), 1 + (40 - room + step - 1) / step);
      int64_t covered = 0;
      for (size_t chunk = 0; chunk < found.size(); ++chunk) {
        const size_t begin = chunk * step, end = std::min(begin + room, size_t{40});
        std::vector<int32_t> ids = {whole[0]};
        if (!prompt.empty()) {
          const auto front = embedder_.tokenizer().encode(prompt).ids;
          ids.insert(ids.end(), front.begin() + 1, front.end() - 1);
        }
        const auto own = whole.begin() + 1;
        ids.insert(ids.end(), own + static_cast<std::ptrdiff_t>(begin),
                   own + static_cast<std::ptrdiff_t>(end));
        ids.push_back(whole.back());
        EXPECT_EQ(found[chunk].values, vector_of_ids(ids)) << chunk;
        const TextVectors& report = found[chunk].report;
        EXPECT_EQ(report.tokens, static_cast<int64_t>(ids.size()));
        EXPECT_EQ(report.chunks, found.size());
        EXPECT_FALSE(report.truncated);
        EXPECT_LE(report.kept.begin, covered);
        covered = report.kept.end;
      }
      EXPECT_EQ(found[0].report.kept.begin, 0);
      EXPECT_EQ(covered, static_cast<int64_t>(text.size()));
    }
  }
}

TEST_P(EmbedderTest, ATextThatFitsIsOneChunk) {
  EmbedOptions options;
  options.chunk = 12;
  options.overlap = 3;
  for (const size_t count : {1u, 9u, 10u}) {
    const auto found = embed({{words(count), "text"}, {"w5", "next"}}, options);
    ASSERT_EQ(found.size(), 2u);
    EXPECT_EQ(found[0].values, embed({{words(count), "text"}})[0].values);
    EXPECT_EQ(found[0].report.kept, (Offsets{0, static_cast<int64_t>(words(count).size())}));
  }
  EXPECT_EQ(embed({{words(11), "text"}}, options).size(), 2u);
}

TEST_P(EmbedderTest, AnyWindowOfTextsGivesTheSameBits) {
  std::vector<NamedText> texts;
  for (const size_t count : {70u, 3u, 500u, 1u, 65u, 20u, 2u, 598u, 4u, 130u, 19u}) {
    texts.push_back({words(count), "text"});
  }
  const auto all = embed(texts);
  for (const size_t window : {1u, 2u, 3u, 7u}) {
    for (size_t first = 0; first < texts.size(); first += window) {
      const size_t count = std::min(window, texts.size() - first);
      const auto some = embed({texts.begin() + static_cast<std::ptrdiff_t>(first),
                               texts.begin() + static_cast<std::ptrdiff_t>(first + count)});
      for (size_t i = 0; i < count; ++i) EXPECT_EQ(some[i].values, all[first + i].values);
    }
  }
}

TEST_P(EmbedderTest, RefusesChunksThatCannotBe) {
  using testing::HasSubstr;
  EmbedOptions options;
  options.overlap = 2;
  EXPECT_THAT(refusal(ErrorKind::kUsage, {"w5", "text"}, options), HasSubstr("--chunk"));
  options.chunk = kSmallModelLength + 1;
  EXPECT_THAT(refusal(ErrorKind::kUsage, {"w5", "text"}, options), HasSubstr("600"));
  options.chunk = -1;
  refusal(ErrorKind::kUsage, {"w5", "text"}, options);
  options.chunk = 5;
  options.overlap = 3;
  EXPECT_THAT(refusal(ErrorKind::kUsage, {"w5", "text"}, options), HasSubstr("overlap"));
  options.overlap = -1;
  EXPECT_THAT(refusal(ErrorKind::kUsage, {"w5", "text"}, options), HasSubstr("negative"));
  options.overlap = 2;
  EXPECT_EQ(embed({{words(7), "text"}}, options).size(), 5u);
  options.prompt = "w5 w6 w7";
  EXPECT_THAT(refusal(ErrorKind::kUsage, {"w5", "text"}, options), HasSubstr("no room"));
  options.prompt.reset();
  options.truncation = Truncation::kEnd;
  EXPECT_THAT(refusal(ErrorKind::kUsage, {"w5", "text"}, options), HasSubstr("not both"));
}

TEST_P(EmbedderTest, RefusesByName) {
  using testing::AllOf, testing::HasSubstr;
  EXPECT_THAT(refusal(ErrorKind::kInput, {"", "the first"}),
              AllOf(HasSubstr("the first"), HasSubstr("empty")));
  EXPECT_THAT(refusal(ErrorKind::kInput, {" \t\r\n", "blank"}), HasSubstr("empty"));
  EXPECT_THAT(refusal(ErrorKind::kInput, {"w5 \xff", "bad"}),
              AllOf(HasSubstr("bad"), HasSubstr("UTF-8")));
  EXPECT_THAT(refusal(ErrorKind::kInput, {words(599), "long"}),
              AllOf(HasSubstr("long"), HasSubstr("601"), HasSubstr("600")));
}

TEST_P(EmbedderTest, AnInterruptIsHeardBeforeTheNextTextIsTokenized) {
  // The second text would be refused as empty; it is never looked at.
  const std::vector<NamedText> texts = {{"w5", "text 1"}, {"", "text 2"}};
  int asked = 0;
  try {
    embedder_.embed(
        texts, {}, [](const TextVectors&) { ADD_FAILURE() << "nothing was to be computed"; },
        [&](const Session::Done&) { return ++asked < 2; });
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInterrupted);
  }
  EXPECT_EQ(asked, 2);
}

TEST(SequenceFromIds, NoneEndsARowAtItsLastOne) {
  const std::vector<int64_t> ids = {2, 9, 0, 3, 0, 0}, mask = {1, 1, 1, 1, 0, 0};
  const TokenSequence cut = sequence_from_ids(ids, {}, mask, Padding::kNone, 0);
  EXPECT_EQ(cut.ids, (std::vector<int32_t>{2, 9, 0, 3}));
  EXPECT_EQ(cut.mask, (std::vector<int32_t>{1, 1, 1, 1}));
  EXPECT_EQ(cut.types, (std::vector<int32_t>{0, 0, 0, 0}));
  const TokenSequence whole = sequence_from_ids(ids, {}, mask, Padding::kMaxLength, 0);
  EXPECT_EQ(whole.ids.size(), 6u);
  EXPECT_EQ(whole.mask, (std::vector<int32_t>{1, 1, 1, 1, 0, 0}));
  EXPECT_EQ(sequence_from_ids(ids, {}, {}, Padding::kNone, 0).ids.size(), 6u);
}

TEST(SequenceFromIds, RefusesWhatHasNoMeaning) {
  const std::vector<int64_t> ids = {2, 9, 3};
  const auto refused = [&](std::vector<int64_t> mask, Padding padding) {
    try {
      sequence_from_ids(ids, {}, mask, padding, 4);
    } catch (const Error& error) {
      return error.kind() == ErrorKind::kUsage &&
             std::string(error.what()).find("row 4") != std::string::npos;
    }
    return false;
  };
  EXPECT_TRUE(refused({1, 0, 1}, Padding::kNone));
  EXPECT_TRUE(refused({0, 1, 1}, Padding::kNone));
  EXPECT_TRUE(refused({0, 0, 0}, Padding::kNone));
  EXPECT_TRUE(refused({1, 2, 1}, Padding::kMaxLength));
  EXPECT_TRUE(refused({1, -1, 1}, Padding::kMaxLength));
  EXPECT_FALSE(refused({1, 0, 1}, Padding::kMaxLength));
}

}  // namespace
}  // namespace m2
