// The C++ wrapper, with the headers of the inside in the same file: no name of theirs may clash.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <m2/m2.hpp>

#include <stdexcept>

#include "embedding/embedder.h"
#include "embedding/vector_text.h"
#include "library/library_model.h"
#include "models/model.h"
#include "tokenizer/tokenizer.h"

namespace m2::testing_library {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

TEST(Wrapper, EmbedsWhatItIsGiven) {
  const EmbeddingModel model(model_folder());
  EXPECT_EQ(model.info().vector_size, 40);
  EmbeddingSession session(model, {2, -1});
  const EmbeddingResult listed = session.embed({"one", {"two", "my text", "id 2"}});
  ASSERT_EQ(listed.size(), 2u);
  EXPECT_THAT(listed.line(1), StartsWith("{\"index\":1,\"id\":\"id 2\","));
  const std::vector<std::string> texts = {"one", "two"};
  const EmbeddingResult ranged = session.embed(texts);
  EXPECT_EQ(ranged.values(1), listed.values(1));
  EXPECT_NE(ranged.values(0), ranged.values(1));
  EXPECT_EQ(ranged[0].width, 40u);
  EXPECT_EQ(ranged.line(0, M2_LINE_NUMBERS).back(), '\n');
  EXPECT_EQ(session.embed(std::vector<std::string_view>{}).size(), 0u);
}

TEST(Wrapper, OneTextIsOneText) {
  const EmbeddingModel model(model_folder());
  EmbeddingSession session(model);
  const std::string_view words = "one two";
  const std::vector<float> expected = session.embed({"one"}).values(0);
  EXPECT_EQ(session.embed("one").size(), 1u);
  EXPECT_EQ(session.embed("one").values(0), expected);
  EXPECT_EQ(session.embed(words.substr(0, 3)).values(0), expected);
  EXPECT_EQ(session.embed(std::string("one")).values(0), expected);
}

TEST(Wrapper, TokensAndIds) {
  const EmbeddingModel model(model_folder());
  const TokenizedText tokens = model.tokenize("a gate");
  std::vector<std::string> texts;
  for (const std::int32_t id : tokens.ids) texts.push_back(model.token_text(id));
  EXPECT_THAT(texts, ElementsAre("[CLS]", "a", "gate", "[SEP]"));
  EXPECT_EQ(tokens.total_tokens, 4);
  EmbeddingSession session(model);
  EXPECT_EQ(session.embed_ids({tokens.ids}).values(0), session.embed({"a gate"}).values(0));
  EXPECT_EQ(model.tokenize(std::string_view()).ids.size(), 2u);
}

TEST(Wrapper, SettingsArriveAll) {
  const EmbeddingModel model(model_folder());
  EmbeddingSession session(model);
  EmbedSettings settings;
  settings.pooling = M2_POOLING_NONE;
  settings.normalise = true;
  settings.truncation = M2_TRUNCATION_START;
  settings.first_index = 3;
  settings.prompt = "query: ";
  const EmbeddingResult result = session.embed({words(60)}, settings);
  EXPECT_EQ(result[0].rows, 64u);
  EXPECT_GT(result[0].kept.begin, 0);
  EXPECT_THAT(result.line(0), StartsWith("{\"index\":3,"));
  EXPECT_THROW(session.embed({words(60)}), Exception);
  EmbedSettings chunks;
  chunks.chunk = 32;
  chunks.overlap = 8;
  EXPECT_GT(session.embed({words(60)}, chunks).size(), 4u);
}

TEST(Wrapper, ErrorsAreExceptionsWithTheirStatus) {
  try {
    const EmbeddingModel model("/no/such/model");
    FAIL() << "no exception";
  } catch (const Exception& error) {
    EXPECT_EQ(error.status(), M2_BAD_INPUT);
    EXPECT_THAT(error.what(), HasSubstr("/no/such/model"));
  }
}

TEST(Wrapper, CancelsAndHandsOnWhatACallbackThrows) {
  const EmbeddingModel model(model_folder());
  EmbeddingSession session(model);
  EmbedSettings settings;
  settings.go_on = [](double, double) { return false; };
  try {
    session.embed({"a gate"}, settings);
    FAIL() << "no exception";
  } catch (const Exception& error) {
    EXPECT_EQ(error.status(), M2_CANCELLED);
  }
  settings.go_on = [](double, double) -> bool { throw std::out_of_range("my own"); };
  EXPECT_THROW(session.embed({"a gate"}, settings), std::out_of_range);
  settings.go_on = [&](double, double) {
    session.cancel();
    return true;
  };
  EXPECT_THROW(session.embed({"a gate"}, settings), Exception);
  EXPECT_EQ(session.embed({"a gate"}).size(), 1u);
}

TEST(Wrapper, TheLogIsAFunction) {
  std::vector<std::string> warnings;
  set_log([&](m2_log_level level, const std::string& message) {
    if (level == M2_LOG_WARNING) warnings.push_back(message);
    throw std::runtime_error("is dropped");
  });
  ModelSettings settings;
  settings.padding = M2_PADDING_MAX_LENGTH;
  const EmbeddingModel model(model_folder(), settings);
  EXPECT_EQ(warnings.size(), 1u);
  set_log({});
  const EmbeddingModel again(model_folder(), settings);
  EXPECT_EQ(warnings.size(), 1u);
}

TEST(Wrapper, HandsTheNumberTypeOn) {
  ModelSettings settings;
  settings.dtype = M2_DTYPE_INT8;
  EXPECT_EQ(EmbeddingModel(model_folder(), settings).info().dtype, M2_DTYPE_INT8);
}

}  // namespace
}  // namespace m2::testing_library
