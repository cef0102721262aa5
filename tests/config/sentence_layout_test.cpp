#include "config/sentence_layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "core/error.h"

namespace m2 {
namespace {

using testing::HasSubstr;
using Files = std::map<std::string, std::string>;

const char kModules[] = R"([
  {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
  {"idx": 1, "name": "1", "path": "1_Pooling",
   "type": "sentence_transformers.sentence_transformer.modules.pooling.Pooling"},
  {"idx": 2, "name": "2", "path": "2_Dense", "type": "sentence_transformers.base.modules.dense.Dense"},
  {"idx": 3, "name": "3", "path": "3_Normalize", "type": "sentence_transformers.models.Normalize"}])";

Files whole() {
  return {{"modules.json", kModules},
          {"1_Pooling/config.json", R"({"embedding_dimension": 8, "pooling_mode": "cls"})"},
          {"2_Dense/config.json", R"({"in_features": 8, "out_features": 3, "bias": false,
              "activation_function": "torch.nn.modules.linear.Identity"})"}};
}

std::optional<SentenceLayout> parse(const Files& files) {
  const auto read = [&](const std::string& name) -> std::optional<std::string> {
    const auto found = files.find(name);
    if (found == files.end()) return std::nullopt;
    return found->second;
  };
  return parse_sentence_layout(read, "model");
}

std::string refusal(const std::string& name, const std::string& text) {
  Files files = whole();
  files[name] = text;
  try {
    parse(files);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInput);
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

TEST(SentenceLayout, NothingWithoutModules) {
  Files files = whole();
  files.erase("modules.json");
  EXPECT_FALSE(parse(files));
}

TEST(SentenceLayout, ModulesInTheirOrder) {
  const SentenceLayout layout = *parse(whole());
  EXPECT_EQ(layout.transformer_folder, "");
  EXPECT_EQ(layout.pooling, Pooling::kCls);
  EXPECT_EQ(layout.pooled_size, 8);
  ASSERT_EQ(layout.dense.size(), 1u);
  EXPECT_EQ(layout.dense[0].folder, "2_Dense");
  EXPECT_EQ(layout.dense[0].in_features, 8);
  EXPECT_EQ(layout.dense[0].out_features, 3);
  EXPECT_FALSE(layout.dense[0].bias);
  EXPECT_EQ(layout.dense[0].activation, Activation::kIdentity);
  EXPECT_TRUE(layout.normalise);
  EXPECT_TRUE(layout.include_prompt);
  EXPECT_FALSE(layout.lower_case);
  EXPECT_EQ(layout.max_seq_length, 0);
  EXPECT_FALSE(layout.default_prompt);
}

TEST(SentenceLayout, PoolingOfEitherForm) {
  const auto pooling = [](const std::string& settings) {
    Files files = whole();
    files["1_Pooling/config.json"] = R"({"word_embedding_dimension": 8)" + settings + "}";
    return *parse(files)->pooling;
  };
  EXPECT_EQ(pooling(""), Pooling::kMean);
  EXPECT_EQ(pooling(R"(, "pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false)"),
            Pooling::kCls);
  EXPECT_EQ(pooling(R"(, "pooling_mode_cls_token": false, "pooling_mode_mean_tokens": true)"),
            Pooling::kMean);
  EXPECT_EQ(pooling(R"(, "pooling_mode": ["cls"])"), Pooling::kCls);
  // The newest form has the say where both are there.
  EXPECT_EQ(pooling(R"(, "pooling_mode": "cls", "pooling_mode_mean_tokens": true)"), Pooling::kCls);
  for (const char* key : {"pooling_mode_max_tokens", "pooling_mode_mean_sqrt_len_tokens",
                          "pooling_mode_weightedmean_tokens", "pooling_mode_lasttoken"}) {
    EXPECT_THAT(refusal("1_Pooling/config.json",
                        std::string(R"({"word_embedding_dimension": 8, ")") + key + "\": true}"),
                HasSubstr("cls and mean"));
  }
  EXPECT_THAT(refusal("1_Pooling/config.json",
                      R"({"word_embedding_dimension": 8, "pooling_mode_cls_token": true,
                          "pooling_mode_mean_tokens": true})"),
              HasSubstr("cls, mean"));
}

TEST(SentenceLayout, LongestText) {
  Files files = whole();
  files["tokenizer_config.json"] = R"({"model_max_length": 1000000000000000019884624838656})";
  EXPECT_EQ(parse(files)->max_seq_length, 0);
  files["tokenizer_config.json"] = R"({"model_max_length": 512, "other": {"x": []}})";
  EXPECT_EQ(parse(files)->max_seq_length, 512);
  files["sentence_bert_config.json"] = R"({"max_seq_length": null})";
  EXPECT_EQ(parse(files)->max_seq_length, 512);
  files["sentence_bert_config.json"] = R"({"max_seq_length": 256, "do_lower_case": true})";
  EXPECT_EQ(parse(files)->max_seq_length, 256);
  EXPECT_TRUE(parse(files)->lower_case);
}

TEST(SentenceLayout, Prompts) {
  Files files = whole();
  files["config_sentence_transformers.json"] =
      R"({"__version__": {"pytorch": "2"}, "prompts": {"query": "query: ", "document": ""},
          "default_prompt_name": "document", "similarity_fn_name": null})";
  const SentenceLayout layout = *parse(files);
  EXPECT_THAT(layout.prompts, testing::ElementsAre(testing::Pair("query", "query: "),
                                                   testing::Pair("document", "")));
  EXPECT_EQ(layout.default_prompt, "document");
  EXPECT_EQ(layout.similarity, "");
}

TEST(SentenceLayout, TransformerInAFolderOfItsOwn) {
  Files files = whole();
  std::string& modules = files["modules.json"];
  modules.replace(modules.find(R"("path": "")"), 10, R"("path": "0_Transformer")");
  files["0_Transformer/sentence_bert_config.json"] = R"({"max_seq_length": 99})";
  EXPECT_EQ(parse(files)->transformer_folder, "0_Transformer");
  EXPECT_EQ(parse(files)->max_seq_length, 99);
}

TEST(SentenceLayout, NamesStayInTheFolder) {
  for (const char* path : {"..", ".", "../x", "/x", "a/b", "a\\\\b", "a\\u0000b"}) {
    std::string modules = kModules;
    modules.replace(modules.find("2_Dense"), 7, path);
    EXPECT_THAT(refusal("modules.json", modules), HasSubstr("within the model's folder")) << path;
  }
}

TEST(SentenceLayout, RefusesByName) {
  EXPECT_THAT(refusal("2_Dense/config.json", R"({"in_features": 8})"), HasSubstr("out_features"));
  EXPECT_THAT(refusal("2_Dense/config.json", R"({"in_features": 8, "out_features": 70000})"),
              HasSubstr("70000"));
  EXPECT_THAT(refusal("2_Dense/config.json", "[]"), HasSubstr("2_Dense/config.json"));
  EXPECT_THAT(refusal("1_Pooling/config.json", R"({"embedding_dimension": 8, "x": 1})"),
              HasSubstr("x is 1"));
  EXPECT_THAT(refusal("1_Pooling/config.json", R"({"embedding_dimension": 8, "a": 1, "a": 1})"),
              HasSubstr("twice"));
  EXPECT_THAT(refusal("3_Normalize/config.json", R"({"module_output_name": "y"})"),
              HasSubstr("module_output_name"));
  EXPECT_THAT(refusal("config_sentence_transformers.json", R"({"prompts": {"query": 1}})"),
              HasSubstr("query"));
  EXPECT_THAT(refusal("modules.json", R"([{"type": "sentence_transformers.models.Pooling"}])"),
              HasSubstr("Pooling"));
  std::string many = "[";
  for (int i = 0; i < 65; ++i) many += "1,";
  EXPECT_THAT(refusal("modules.json", many + "1]"), HasSubstr("more than 64"));
}

}  // namespace
}  // namespace m2
