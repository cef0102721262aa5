// What the C API says of models, texts and vectors.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstring>

#include "library/library_model.h"

namespace m2::testing_library {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

m2_vector vector_of(m2_result* result, size_t index = 0) {
  m2_vector vector = m2_vector_init();
  EXPECT_EQ(m2_result_get(result, index, &vector), M2_OK) << m2_last_error();
  return vector;
}

std::string line_of(m2_result* result, size_t index, m2_line_format format) {
  const char* line = nullptr;
  size_t length = 0;
  EXPECT_EQ(m2_result_line(result, index, format, &line, &length), M2_OK) << m2_last_error();
  EXPECT_EQ(std::strlen(line), length);
  return line;
}

TEST(LibraryModel, SaysWhatItIs) {
  const ModelOwner model = load();
  m2_model_info info = m2_model_info_init();
  ASSERT_EQ(m2_model_get_info(model.get(), &info), M2_OK);
  EXPECT_EQ(info.vector_size, 40);
  EXPECT_EQ(info.max_tokens, 64);
  EXPECT_EQ(info.vocabulary_size, 8192);
  EXPECT_EQ(info.pooling, M2_POOLING_POOLER);
  EXPECT_EQ(info.padding, M2_PADDING_NONE);
  EXPECT_EQ(info.normalise, 0);
  EXPECT_EQ(info.has_tokenizer, 1);
  EXPECT_STREQ(info.family, "m2_bert");
  EXPECT_THAT(info.instruction_set, testing::AnyOf(testing::StrEq("amx"), testing::StrEq("avx512"),
                                                   testing::StrEq("avx2"), testing::StrEq("sse4"),
                                                   testing::StrEq("scalar")));
  EXPECT_EQ(info.dtype, M2_DTYPE_FP32);
  EXPECT_EQ(info.multiplied, M2_DTYPE_FP32);
  EXPECT_STREQ(m2_version(), M2_VERSION);
}

TEST(LibraryModel, ComputesInTheNumberTypeAskedFor) {
  const auto values = [](m2_dtype dtype) {
    m2_model_options options = m2_model_options_init();
    options.dtype = dtype;
    m2_model* handle = nullptr;
    EXPECT_EQ(m2_model_load(model_folder().c_str(), &options, &handle), M2_OK) << m2_last_error();
    const ModelOwner model(handle);
    m2_model_info info = m2_model_info_init();
    EXPECT_EQ(m2_model_get_info(handle, &info), M2_OK);
    EXPECT_EQ(info.dtype, dtype == M2_DTYPE_DEFAULT ? M2_DTYPE_FP32 : dtype);
    EXPECT_THAT(info.multiplied, testing::AnyOf(info.dtype, M2_DTYPE_FP32));
    return values_of(embed(session_of(handle).get(), {"a gate"}).get());
  };
  const std::vector<float> fp32 = values(M2_DTYPE_FP32);
  EXPECT_EQ(values(M2_DTYPE_DEFAULT), fp32);
  const std::vector<float> bf16 = values(M2_DTYPE_BF16), int8 = values(M2_DTYPE_INT8);
  EXPECT_NE(bf16, fp32);
  EXPECT_NE(int8, bf16);
  EXPECT_THAT(bf16, testing::Pointwise(testing::FloatNear(0.1f), fp32));
  EXPECT_THAT(int8, testing::Pointwise(testing::FloatNear(0.1f), fp32));
}

// A program of before there were number types: what lies behind its options is not read.
TEST(LibraryModel, OlderOptionsHaveTheDefaultNumberType) {
  m2_model_options options = m2_model_options_init();
  options.struct_size = offsetof(m2_model_options, dtype);
  options.dtype = M2_DTYPE_BF16;
  m2_model* handle = nullptr;
  ASSERT_EQ(m2_model_load(model_folder().c_str(), &options, &handle), M2_OK) << m2_last_error();
  const ModelOwner model(handle);
  m2_model_info info = m2_model_info_init();
  ASSERT_EQ(m2_model_get_info(handle, &info), M2_OK);
  EXPECT_EQ(info.dtype, M2_DTYPE_FP32);
}

TEST(LibraryEmbed, ReportsEachText) {
  const ModelOwner model = load();
  const SessionOwner session = session_of(model.get());
  m2_embed_options options = m2_embed_options_init();
  options.truncation = M2_TRUNCATION_END;
  const std::string longer = words(60);
  const ResultOwner result = embed(session.get(), {"naïve café", longer}, &options);
  size_t count = 0;
  ASSERT_EQ(m2_result_count(result.get(), &count), M2_OK);
  ASSERT_EQ(count, 2u);
  const m2_vector first = vector_of(result.get(), 0), second = vector_of(result.get(), 1);
  EXPECT_EQ(first.text, 0u);
  EXPECT_EQ(second.text, 1u);
  EXPECT_EQ(first.rows, 1u);
  EXPECT_EQ(first.width, 40u);
  EXPECT_EQ(first.characters, 10);  // code points, not bytes
  EXPECT_EQ(first.truncated, 0);
  EXPECT_EQ(first.tokens, first.total_tokens);
  EXPECT_EQ(second.truncated, 1);
  EXPECT_EQ(second.tokens, 64);
  EXPECT_GT(second.total_tokens, 64);
  EXPECT_EQ(second.kept.begin, 0);
  EXPECT_LT(second.kept.end, second.characters);
  EXPECT_EQ(second.chunks, 0u);
}

TEST(LibraryEmbed, OptionsChooseTheVector) {
  const ModelOwner model = load();
  const SessionOwner session = session_of(model.get());
  m2_embed_options options = m2_embed_options_init();
  options.pooling = M2_POOLING_NONE;
  const ResultOwner rows = embed(session.get(), {"a gate"}, &options);
  const m2_vector all = vector_of(rows.get());
  EXPECT_EQ(static_cast<int64_t>(all.rows), all.tokens);
  options.pooling = M2_POOLING_MEAN;
  options.normalise = M2_YES;
  const std::vector<float> scaled = values_of(embed(session.get(), {"a gate"}, &options).get());
  double length = 0;
  for (const float value : scaled) length += double{value} * double{value};
  EXPECT_NEAR(length, 1.0, 1e-6);
  options.normalise = M2_NO;
  EXPECT_NE(values_of(embed(session.get(), {"a gate"}, &options).get()), scaled);
}

TEST(LibraryEmbed, LongTextsInChunks) {
  const ModelOwner model = load();
  const SessionOwner session = session_of(model.get());
  m2_embed_options options = m2_embed_options_init();
  options.chunk = 32;
  options.overlap = 4;
  options.first_index = 7;
  const ResultOwner result = embed(session.get(), {words(60), "a gate"}, &options);
  size_t count = 0;
  ASSERT_EQ(m2_result_count(result.get(), &count), M2_OK);
  const m2_vector first = vector_of(result.get(), 0), last = vector_of(result.get(), count - 1);
  ASSERT_EQ(first.chunks, count - 1);
  EXPECT_GT(first.chunks, 4u);
  EXPECT_EQ(vector_of(result.get(), 1).chunk, 1u);
  EXPECT_EQ(vector_of(result.get(), 1).text, 0u);
  EXPECT_LE(first.tokens, 32);
  EXPECT_EQ(last.text, 1u);
  EXPECT_EQ(last.chunks, 1u);
  EXPECT_THAT(line_of(result.get(), 1, M2_LINE_JSON),
              testing::StartsWith("{\"index\":7,\"chunk\":1,"));
  EXPECT_THAT(line_of(result.get(), count - 1, M2_LINE_JSON), testing::StartsWith("{\"index\":8,"));
}

TEST(LibraryEmbed, PromptsAreSetBefore) {
  const ModelOwner model = load();
  const SessionOwner session = session_of(model.get());
  m2_embed_options options = m2_embed_options_init();
  options.prompt = "query: ";
  const std::vector<float> prompted = values_of(embed(session.get(), {"a gate"}, &options).get());
  EXPECT_EQ(prompted, values_of(embed(session.get(), {"query: a gate"}).get()));
  EXPECT_NE(prompted, values_of(embed(session.get(), {"a gate"}).get()));
  options.prompt = nullptr;
  options.prompt_name = "no such prompt";
  EXPECT_EQ(status_of(session.get(), "a gate", &options), M2_WRONG_USE);
}

TEST(LibraryEmbed, NoTextsGiveNoVectors) {
  const ModelOwner model = load();
  const SessionOwner session = session_of(model.get());
  m2_result* result = nullptr;
  ASSERT_EQ(m2_embed(session.get(), nullptr, 0, nullptr, &result), M2_OK);
  size_t count = 1;
  EXPECT_EQ(m2_result_count(result, &count), M2_OK);
  EXPECT_EQ(count, 0u);
  m2_result_free(result);
}

TEST(LibraryEmbed, AResultNeedsNothingElse) {
  ModelOwner model = load();
  SessionOwner session = session_of(model.get());
  model.reset();
  const ResultOwner result = embed(session.get(), {"a gate"});
  const std::vector<float> before = values_of(result.get());
  session.reset();
  EXPECT_EQ(values_of(result.get()), before);
}

TEST(LibraryLine, IdsAndIndices) {
  const ModelOwner model = load();
  const SessionOwner session = session_of(model.get());
  m2_embed_options options = m2_embed_options_init();
  options.first_index = 100;
  const m2_text texts[] = {{"one", M2_UNTIL_ZERO, nullptr, "a\"b"}, {"two", 3, nullptr, nullptr}};
  m2_result* raw = nullptr;
  ASSERT_EQ(m2_embed(session.get(), texts, 2, &options, &raw), M2_OK);
  const ResultOwner result(raw);
  EXPECT_THAT(line_of(raw, 0, M2_LINE_JSON),
              testing::StartsWith("{\"index\":100,\"id\":\"a\\\"b\",\"tokens\":"));
  EXPECT_THAT(line_of(raw, 1, M2_LINE_JSON), testing::StartsWith("{\"index\":101,\"tokens\":"));
  const std::string numbers = line_of(raw, 1, M2_LINE_NUMBERS);
  EXPECT_EQ(std::strtof(numbers.c_str(), nullptr), vector_of(raw, 1).values[0]);
  EXPECT_EQ(numbers.back(), '\n');
}

TEST(LibraryTokens, AreThoseThatAreEmbedded) {
  const ModelOwner model = load();
  m2_tokens* raw = nullptr;
  ASSERT_EQ(m2_tokenize(model.get(), "A gate.", M2_UNTIL_ZERO, nullptr, &raw), M2_OK);
  const TokensOwner tokens(raw);
  m2_token_list list = m2_token_list_init();
  ASSERT_EQ(m2_tokens_get(raw, &list), M2_OK);
  ASSERT_EQ(list.total_tokens, static_cast<int64_t>(list.count));
  std::vector<std::string> texts;
  for (size_t i = 0; i < list.count; ++i) {
    const char* text = nullptr;
    ASSERT_EQ(m2_token_text(model.get(), list.ids[i], &text), M2_OK);
    texts.emplace_back(text);
  }
  EXPECT_THAT(texts, ElementsAre("[CLS]", "a", "gate", ".", "[SEP]"));
  EXPECT_EQ(list.spans[2].begin, 2);
  EXPECT_EQ(list.spans[2].end, 6);

  const SessionOwner session = session_of(model.get());
  const m2_ids row = {list.ids, nullptr, nullptr, list.count};
  m2_result* by_ids = nullptr;
  ASSERT_EQ(m2_embed_ids(session.get(), &row, 1, nullptr, &by_ids), M2_OK) << m2_last_error();
  const ResultOwner result(by_ids);
  EXPECT_EQ(values_of(by_ids), values_of(embed(session.get(), {"A gate."}).get()));
  EXPECT_THAT(line_of(by_ids, 0, M2_LINE_JSON),
              testing::StartsWith("{\"index\":0,\"embedding\":["));
}

TEST(LibraryTokens, AreCutWhereAsked) {
  const ModelOwner model = load();
  m2_tokenize_options options = m2_tokenize_options_init();
  options.max_tokens = 3;
  m2_tokens* raw = nullptr;
  EXPECT_EQ(m2_tokenize(model.get(), "a gate.", M2_UNTIL_ZERO, &options, &raw), M2_BAD_INPUT);
  EXPECT_THAT(m2_last_error(), HasSubstr("5 tokens"));
  options.truncation = M2_TRUNCATION_START;
  options.special_tokens = M2_NO;
  options.max_tokens = 1;
  ASSERT_EQ(m2_tokenize(model.get(), "a gate.", M2_UNTIL_ZERO, &options, &raw), M2_OK);
  const TokensOwner tokens(raw);
  m2_token_list list = m2_token_list_init();
  ASSERT_EQ(m2_tokens_get(raw, &list), M2_OK);
  EXPECT_EQ(list.count, 1u);
  EXPECT_EQ(list.total_tokens, 3);
  EXPECT_EQ(list.spans[0].begin, 6);
}

TEST(LibraryModel, WithoutATokenizerTakesIdsAlone) {
  m2_model_options options = m2_model_options_init();
  options.without_tokenizer = 1;
  m2_model* raw = nullptr;
  ASSERT_EQ(m2_model_load(model_folder().c_str(), &options, &raw), M2_OK);
  const ModelOwner model(raw);
  m2_model_info info = m2_model_info_init();
  ASSERT_EQ(m2_model_get_info(raw, &info), M2_OK);
  EXPECT_EQ(info.has_tokenizer, 0);
  const SessionOwner session = session_of(raw);
  EXPECT_EQ(status_of(session.get(), "a gate"), M2_WRONG_USE);
  const int32_t ids[] = {2, 77, 3}, mask[] = {1, 1, 0};
  const m2_ids rows[] = {
      {ids, nullptr, nullptr, 3}, {ids, mask, nullptr, 3}, {ids, nullptr, nullptr, 2}};
  m2_result* by_ids = nullptr;
  ASSERT_EQ(m2_embed_ids(session.get(), rows, 3, nullptr, &by_ids), M2_OK) << m2_last_error();
  const ResultOwner result(by_ids);
  EXPECT_EQ(vector_of(by_ids, 0).tokens, 3);
  const std::vector<float> values = values_of(by_ids);
  const std::vector<float> cut(values.begin() + 40, values.begin() + 80);
  EXPECT_EQ(cut, std::vector<float>(values.begin() + 80, values.end()));
  EXPECT_NE(cut, std::vector<float>(values.begin(), values.begin() + 40));
}

// Programs compiled with other versions of the headers

TEST(LibraryStructs, AnOlderProgramsOptionsEndEarlier) {
  const ModelOwner model = load();
  const SessionOwner session = session_of(model.get());
  m2_embed_options options = m2_embed_options_init();
  options.struct_size = offsetof(m2_embed_options, prompt);
  options.chunk = -1;  // lies beyond the stated size: what an older program has there is not read
  EXPECT_EQ(status_of(session.get(), "a gate", &options), M2_OK) << m2_last_error();
}

TEST(LibraryStructs, ANewerProgramMayNotSetWhatIsUnknown) {
  struct Newer {
    m2_embed_options known;
    int64_t later;
  };
  const ModelOwner model = load();
  const SessionOwner session = session_of(model.get());
  Newer newer = {m2_embed_options_init(), 0};
  newer.known.struct_size = sizeof(Newer);
  EXPECT_EQ(status_of(session.get(), "a gate", &newer.known), M2_OK) << m2_last_error();
  newer.later = 1;
  EXPECT_EQ(status_of(session.get(), "a gate", &newer.known), M2_WRONG_USE);
  EXPECT_THAT(m2_last_error(), HasSubstr("m2_embed_options"));
}

TEST(LibraryStructs, AnAnswerIsAsLongAsTheProgramsStruct) {
  const ModelOwner model = load();
  m2_model_info info = m2_model_info_init();
  info.struct_size = offsetof(m2_model_info, vocabulary_size);
  info.vocabulary_size = -5;
  ASSERT_EQ(m2_model_get_info(model.get(), &info), M2_OK);
  EXPECT_EQ(info.max_tokens, 64);
  EXPECT_EQ(info.vocabulary_size, -5);
  info.struct_size = 0;
  EXPECT_EQ(m2_model_get_info(model.get(), &info), M2_WRONG_USE);
  EXPECT_THAT(m2_last_error(), HasSubstr("m2_model_info_init()"));
}

}  // namespace
}  // namespace m2::testing_library
