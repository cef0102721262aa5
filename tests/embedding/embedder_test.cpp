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
      : model_(small_model(GetParam())),
        embedder_(model_, load_tokenizer("", *model_), {1}) {}

  std::vector<Embedded> embed(const std::vector<NamedText>& texts,
                              const EmbedOptions& options = {}) {
    std::vector<Embedded> found;
    embedder_.embed(texts, options, [&](const TextVectors& vectors) {
      EXPECT_EQ(vectors.index, found.size());
      found.push_back({vectors, {vectors.values.begin(), vectors.values.end()}});
    });
    return found;
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
    TokenSequence sequence = {ids, std::vector<int32_t>(ids.size()),
                              std::vector<int32_t>(ids.size(), 1)};
    if (GetParam() == Padding::kMaxLength) {
      sequence.ids.resize(kSmallModelLength, 0);
      sequence.types.resize(kSmallModelLength, 0);
      sequence.mask.resize(kSmallModelLength, 0);
    }
    EXPECT_EQ(found[0].values, vectors_of(embedder_.session(), {sequence})[0]) << count;
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
