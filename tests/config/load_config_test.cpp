#include "config/load_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/config_files.h"
#include "config/golden.h"
#include "core/text.h"

namespace m2 {
namespace {

ModelConfig load_json(const std::string& text) {
  return parse_model_config(text, "config.json");
}

ModelConfig load_yaml(const std::string& text) {
  return parse_model_config(text, "train.yaml");
}

void expect_refused(const std::string& json, const std::string& part) {
  SCOPED_TRACE(json);
  expect_error(ErrorKind::kInput, part, [&] { load_json(json); });
}

// The shortest M2-BERT config, with `more` members, each with a comma before it.
std::string m2_json(const std::string& more = "") {
  return R"({"monarch_mixer_sequence_mixing": true, "long_conv_l_max": 128, "hyena_w": 10,
             "hyena_emb_dim": 5)" +
         more + "}";
}

TEST(LoadConfig, SilentM2ConfigHasTheResearchCodesDefaults) {
  const ModelConfig config = load_json(m2_json());
  EXPECT_EQ(config.family, Family::kM2Bert);
  EXPECT_EQ(config.hidden_size, 768);
  EXPECT_EQ(config.intermediate_size, 3072);
  EXPECT_EQ(config.num_hidden_layers, 12);
  EXPECT_EQ(config.num_attention_heads, 12);
  EXPECT_EQ(config.vocab_size, 30522);
  EXPECT_EQ(config.padded_vocab_size(), 30528);
  EXPECT_EQ(config.max_position_embeddings, 512);
  EXPECT_EQ(config.type_vocab_size, 2);
  EXPECT_EQ(config.layer_norm_eps, 1e-12);
  EXPECT_EQ(config.hidden_dropout_prob, 0.1);
  EXPECT_EQ(config.classifier_dropout, 0.1);
  EXPECT_EQ(config.attention_probs_dropout_prob, 0);
  EXPECT_TRUE(config.use_glu_mlp);
  EXPECT_FALSE(config.use_monarch_mlp);
  EXPECT_EQ(config.monarch_mlp_nblocks, 4);
  EXPECT_FALSE(config.use_positional_encodings);
  EXPECT_FALSE(config.residual_long_conv);
  EXPECT_TRUE(config.bidirectional);
  EXPECT_EQ(config.hyena_w, 10);
  EXPECT_EQ(config.hyena_w_mod, 1);
  EXPECT_EQ(config.hyena_emb_dim, 5);
  EXPECT_EQ(config.hyena_filter_order, 64);
  EXPECT_FALSE(config.hyena_training_additions);
  EXPECT_FALSE(config.pool_all);
  EXPECT_EQ(config.padding, Padding::kMaxLength);
  EXPECT_FALSE(config.padding_stated);
  EXPECT_EQ(config.pooling, Pooling::kPooler);
  EXPECT_FALSE(config.pooling_stated);
  EXPECT_FALSE(config.use_normalized_embeddings);
  EXPECT_EQ(config.max_length(), 128);
}

TEST(LoadConfig, SilentBertConfigHasBertsDefaults) {
  const ModelConfig config = load_json("{}");
  EXPECT_EQ(config.family, Family::kBert);
  EXPECT_EQ(config.attention_probs_dropout_prob, 0.1);
  EXPECT_FALSE(config.use_glu_mlp);
  EXPECT_TRUE(config.use_positional_encodings);
  EXPECT_EQ(config.padded_vocab_size(), 30522);
  EXPECT_EQ(config.padding, Padding::kNone);
  EXPECT_EQ(config.max_length(), 512);
}

TEST(LoadConfig, FamilyTable) {
  const struct {
    const char* json;
    Family family;
  } cases[] = {
      {R"({"alibi_starting_size": 512})", Family::kMosaicBert},
      {R"({"use_glu_mlp": false})", Family::kMosaicBert},
      {R"({"use_monarch_mlp": false})", Family::kMosaicBert},
      {R"({"monarch_mixer_sequence_mixing": false, "use_glu_mlp": true})", Family::kMosaicBert},
      {R"({"monarch_mixer_sequence_mixing": false})", Family::kBert},
      {R"({"model_type": "bert", "use_cache": true})", Family::kBert},
      {R"({"use_glu_mlp": null})", Family::kBert},
  };
  for (const auto& [json, family] : cases) EXPECT_EQ(load_json(json).family, family) << json;
  EXPECT_EQ(load_json(m2_json(R"(, "alibi_starting_size": 512)")).family, Family::kM2Bert);
}

TEST(LoadConfig, GoldenConfigsLoadAndIgnoreNothingOfConsequence) {
  const auto folders = golden_folders();
  if (folders.empty()) GTEST_SKIP() << "no golden folder with a config.json";
  for (const auto& folder : folders) {
    SCOPED_TRACE(folder.filename().string());
    const ModelConfig config = load_model_config(find_config(folder.string()));
    const bool attends = folder.filename().string().starts_with("mosaic");
    EXPECT_EQ(config.family, attends ? Family::kMosaicBert : Family::kM2Bert);
    EXPECT_EQ(config.num_labels, 3);
    if (!attends) {
      EXPECT_THAT(config.ignored_keys, testing::ElementsAre("hyena_filter_dropout"));
    }
  }
}

TEST(LoadConfig, MaxLengthIsTheShorterOfFilterAndPositions) {
  const std::string longer = R"(, "max_position_embeddings": 64)";
  EXPECT_EQ(load_json(m2_json(longer)).max_length(), 128);
  EXPECT_EQ(load_json(m2_json(longer + R"(, "use_positional_encodings": true)")).max_length(), 64);
}

TEST(LoadConfig, PoolingAndPadding) {
  EXPECT_EQ(load_json(R"({"use_cls_token": true})").pooling, Pooling::kCls);
  const ModelConfig stated =
      load_json(m2_json(R"(, "use_cls_token": true, "pooling": "mean", "padding": "none")"));
  EXPECT_EQ(stated.pooling, Pooling::kMean);
  EXPECT_TRUE(stated.pooling_stated);
  EXPECT_EQ(stated.padding, Padding::kNone);
  EXPECT_TRUE(stated.padding_stated);
  expect_refused(R"({"padding": "left"})", "must be one of max_length, none");
  expect_refused(R"({"pooling": "max"})", "must be one of cls, mean, pooler, none");
}

TEST(LoadConfig, NumberOfLabelsIsStatedOrCounted) {
  EXPECT_EQ(load_json(R"({"id2label": {"0": "a", "1": "b", "2": "c"}})").num_labels, 3);
  EXPECT_EQ(load_json(R"({"num_labels": 7, "id2label": {"0": "a"}})").num_labels, 7);
  EXPECT_EQ(load_json("{}").num_labels, 2);
}

TEST(LoadConfig, MissingKeysAreNamed) {
  expect_refused(R"({"monarch_mixer_sequence_mixing": true, "hyena_w": 1, "hyena_emb_dim": 5})",
                 "long_conv_l_max is missing");
  expect_refused(
      R"({"monarch_mixer_sequence_mixing": true, "long_conv_l_max": 8, "hyena_emb_dim": 5})",
      "hyena_w is missing");
  expect_refused(R"({"monarch_mixer_sequence_mixing": true, "long_conv_l_max": 8, "hyena_w": 1})",
                 "hyena_emb_dim is missing");
}

TEST(LoadConfig, WrongTypesAreNamed) {
  expect_refused(R"({"hidden_size": "768"})", R"(hidden_size is the text "768", must be a whole)");
  expect_refused(R"({"hidden_size": 768.5})", "hidden_size is 768.5, must be a whole number");
  expect_refused(R"({"hidden_size": 768.0})", "must be a whole number");
  expect_refused(R"({"hidden_size": true})", "hidden_size is true");
  expect_refused(R"({"hidden_size": [768]})", "hidden_size is a list");
  expect_refused(R"({"hidden_size": 18446744073709551615})", "must be a whole number");
  expect_refused(R"({"pool_all": 1})", "pool_all is 1, must be true or false");
  expect_refused(R"({"layer_norm_eps": "small"})", "layer_norm_eps");
  expect_refused(R"({"padding": 3})", "padding is 3, must be a text");
  expect_refused("[]", "holds a list");
  expect_refused("3", "holds 3");
}

TEST(LoadConfig, SizesOutOfRangeAreNamed) {
  expect_refused(R"({"hidden_size": 0})", "hidden_size is 0, must be from 1");
  expect_refused(R"({"hidden_size": -768})", "hidden_size is -768");
  expect_refused(R"({"hidden_size": 9223372036854775807})", "hidden_size is 9223372036854775807");
  expect_refused(R"({"vocab_size": 9223372036854775807})", "vocab_size");
  expect_refused(R"({"num_attention_heads": 7})", "does not divide hidden_size 768");
  expect_refused(R"({"hidden_dropout_prob": 1.5})", "hidden_dropout_prob is 1.5");
  expect_refused(R"({"layer_norm_eps": 0})", "layer_norm_eps");
  expect_refused(R"({"use_monarch_mlp": true, "monarch_mlp_nblocks": 0})", "monarch_mlp_nblocks");
  expect_refused(R"({"use_monarch_mlp": true, "monarch_mlp_nblocks": 769})", "from 1 to 768");
  expect_refused(m2_json(R"(, "hyena_filter_order": 0)"), "hyena_filter_order is 0");
  const std::string mixer = R"({"monarch_mixer_sequence_mixing": true, "hyena_w": 1, )";
  expect_refused(mixer + R"("long_conv_l_max": 0, "hyena_emb_dim": 5})", "long_conv_l_max is 0");
  expect_refused(mixer + R"("long_conv_l_max": 8, "hyena_emb_dim": 1})", "hyena_emb_dim is 1");
  expect_refused(mixer + R"("long_conv_l_max": 8, "hyena_emb_dim": 6})", "must be odd");
  // Heads are without effect in M2-BERT.
  EXPECT_EQ(load_json(m2_json(R"(, "num_attention_heads": 7)")).num_attention_heads, 7);
}

TEST(LoadConfig, SwitchesOfOtherModelsAreRefused) {
  for (const std::string key : {"sequence_token_planting", "attention_pooling", "use_flash_mm"}) {
    expect_refused(concat("{\"", key, "\": true}"), key + " is true");
    EXPECT_EQ(load_json(concat("{\"", key, "\": false}")).family, Family::kBert);
  }
  expect_refused(R"({"model_type": "roberta"})", R"(model_type is "roberta")");
  expect_refused(R"({"hidden_act": "relu"})", "only gelu");
  expect_refused(R"({"position_embedding_type": "relative_key"})", "only absolute");
  expect_refused(R"({"pad_token_id": 1})", "pad_token_id");
  EXPECT_EQ(load_json(R"({"use_flash_fft": true})").family, Family::kBert);
}

TEST(LoadConfig, IgnoredKeysAreListedInTheFilesOrder) {
  const ModelConfig config = load_json(R"({"zeta": 1, "hidden_size": 96, "alpha": {"b": []}})");
  EXPECT_THAT(config.ignored_keys, testing::ElementsAre("zeta", "alpha"));
}

TEST(LoadConfig, BadJson) {
  expect_refused("", "not JSON");
  expect_refused("{", "not JSON at byte");
  expect_refused("{} x", "not JSON");
  expect_refused(R"({"a": 1e999})", "not JSON");
  expect_refused("{\"a\": \"\xff\"}", "not JSON");
  expect_refused(R"({"a": 1, "b": 2, "a": 3})", R"(the key "a" appears twice)");
  expect_refused(R"({"x": {"a": 1, "a": 1}})", R"(the key "a" appears twice)");
  expect_refused(std::string(100000, '['), "nested deeper than 32");
  std::string nested = "{}";
  for (int i = 0; i < 40; ++i) nested = concat("{\"a\": ", nested, "}");
  expect_refused(nested, "nested deeper than 32");
}

TEST(LoadConfig, FilesThatCannotBeRead) {
  const TestFolder folder;
  const std::string large = folder.write("config.json", std::string((1 << 20) + 1, ' '));
  expect_error(ErrorKind::kInput, large, [&] { load_model_config(large); });
  const std::string good = folder.write("config.yaml", "model: {name: hf_bert}");
  EXPECT_EQ(load_model_config(good).source, good);
  expect_error(ErrorKind::kInput, "/nowhere/config.json",
               [] { load_model_config("/nowhere/config.json"); });
}

// What a damaged file may do: load, or say why not in one line.
void expect_loads_or_throws(const std::string& name, const std::string& text) {
  try {
    parse_model_config(text, name);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInput);
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
  }
}

void expect_robust(const std::string& name, const std::string& text) {
  for (size_t i = 0; i < text.size(); ++i) {
    expect_loads_or_throws(name, text.substr(0, i));
    std::string damaged = text;
    damaged[i] = static_cast<char>(damaged[i] ^ (1 << (i % 8)));
    expect_loads_or_throws(name, damaged);
  }
}

TEST(LoadConfig, EveryTruncationAndManyFlipsLoadOrThrow) {
  expect_robust("config.json", to_json(load_json(m2_json())));
}

TEST(LoadConfig, WrittenConfigReadsBackTheSame) {
  const ModelConfig config = load_json(m2_json(
      R"(, "hidden_size": 60, "intermediate_size": 250, "use_monarch_mlp": true,
         "monarch_mlp_nblocks": 8, "hyena_w_mod": 2.5, "hyena_training_additions": true,
         "bidirectional": false, "residual_long_conv": true, "use_positional_encodings": true,
         "pool_all": true, "use_normalized_embeddings": true, "pooling": "mean", "num_labels": 5,
         "padding": "none", "hidden_dropout_prob": 0.25, "layer_norm_eps": 1e-7)"));
  const std::string written = to_json(config);
  const ModelConfig again = load_json(written);
  EXPECT_EQ(to_json(again), written);
  EXPECT_TRUE(again.ignored_keys.empty()) << testing::PrintToString(again.ignored_keys);
  EXPECT_EQ(again.family, Family::kM2Bert);
  EXPECT_EQ(again.hyena_w_mod, 2.5);
  EXPECT_EQ(again.layer_norm_eps, 1e-7);
  EXPECT_EQ(again.hidden_dropout_prob, 0.25);
  EXPECT_EQ(again.monarch_mlp_nblocks, 8);
  EXPECT_EQ(again.pooling, Pooling::kMean);
  EXPECT_TRUE(again.hyena_training_additions && again.pool_all && again.residual_long_conv);
  EXPECT_FALSE(again.bidirectional);
  for (const char* json : {"{}", R"({"use_glu_mlp": false, "alibi_starting_size": 64})"}) {
    EXPECT_EQ(load_json(to_json(load_json(json))).family, load_json(json).family);
  }
}

constexpr char kTrainingFile[] = R"(
max_seq_len: 8192
use_flash_fft: True
starting_checkpoint_load_path:
sizes: {width: 96, heads: [1, 12]}
glu: &glu True
model:
  name: bert
  pretrained_model_name: ${tokenizer_name}
  tokenizer_name: ${tokenizer_name}
  max_seq_len: ${max_seq_len}
  use_learnable_monarch: False
  model_config:
    pretrained_checkpoint: ${starting_checkpoint_load_path}
    use_flash_fft: ${use_flash_fft}
    note: [${max_seq_len}, "${sizes.width} of ${ tokenizer_name }"]
    num_labels: 10
    num_attention_heads: ${sizes.heads.1}
    attention_probs_dropout_prob: 0.0
    max_position_embeddings: ${model.max_seq_len}
    hidden_size: ${sizes.width}
    intermediate_size: 384
    monarch_mixer_sequence_mixing: True
    long_conv_l_max: ${max_seq_len}
    long_conv_kernel_learning_rate: 1e-3
    hyena_lr_pos_emb: 1e-5
    hyena_w: 10
    hyena_emb_dim: 5
    hyena_filter_order: 128
    hyena_training_additions: False
    bidirectional: true
    residual_long_conv: true
    use_glu_mlp: *glu
    use_monarch_mlp: True
    monarch_mlp_nblocks: 4
    use_positional_encodings: True
tokenizer_name: bert-base-uncased
scheduler: ${no_such_key}
)";

TEST(LoadYaml, TrainingFileOfTheResearchCode) {
  const ModelConfig config = load_yaml(kTrainingFile);
  EXPECT_EQ(config.family, Family::kM2Bert);
  EXPECT_EQ(config.hidden_size, 96);
  EXPECT_EQ(config.num_attention_heads, 12);
  EXPECT_EQ(config.max_position_embeddings, 8192);
  EXPECT_EQ(config.long_conv_l_max, 8192);
  EXPECT_EQ(config.long_conv_kernel_learning_rate, 1e-3);
  EXPECT_EQ(config.num_labels, 10);
  EXPECT_TRUE(config.use_glu_mlp && config.use_monarch_mlp && config.residual_long_conv);
  EXPECT_EQ(config.vocab_size, 30522);
  EXPECT_EQ(config.padding, Padding::kMaxLength);
  EXPECT_THAT(config.ignored_keys,
              testing::ElementsAre("pretrained_checkpoint", "use_flash_fft", "note"));
}

TEST(LoadYaml, EveryTruncationAndManyFlipsLoadOrThrow) {
  expect_robust("train.yaml", kTrainingFile);
}

// The research code's scripts fill num_labels in, and one of its files leans on that.
TEST(LoadYaml, NumberOfLabelsMayBeLeftToAScript) {
  EXPECT_EQ(parse_model_config("model: {model_config: {num_labels: \"${num_labels}\"}}", "a.yaml")
                .num_labels,
            2);
}

TEST(LoadYaml, Families) {
  const ModelConfig plain = load_yaml(
      "model: {name: hf_bert, model_config: {use_glu_mlp: true, max_position_embedding: 64}}");
  EXPECT_EQ(plain.family, Family::kBert);
  EXPECT_EQ(plain.max_position_embeddings, 512);
  EXPECT_EQ(plain.vocab_size, 30528);  // the research code pads what it trains
  EXPECT_EQ(load_yaml("model: {name: hf_bert}").family, Family::kBert);
  EXPECT_EQ(load_yaml("model: {name: bert, model_config: {use_glu_mlp: False}}").family,
            Family::kMosaicBert);
}

void expect_yaml_refused(const std::string& yaml, const std::string& part) {
  SCOPED_TRACE(yaml);
  expect_error(ErrorKind::kInput, part, [&] { load_yaml(yaml); });
}

TEST(LoadYaml, BadFiles) {
  expect_yaml_refused("", "no map \"model\"");
  expect_yaml_refused("model: 3", "no map \"model\"");
  expect_yaml_refused("- 1", "no map \"model\"");
  expect_yaml_refused("a: [1", "not YAML: line 1");
  expect_yaml_refused("a: 1\na: 2\nmodel: {}", R"(the key "a" appears twice)");
  expect_yaml_refused("model: {model_config: {b: 1, b: 1}}", R"(the key "b" appears twice)");
  expect_yaml_refused("? [1, 2]\n: 3", "a key that is no text");
  expect_yaml_refused("a: &x {b: 1}\nc:\n  <<: *x", "merge keys");
  expect_yaml_refused("a: &x [*x]", "nested deeper");
  expect_yaml_refused(std::string(100000, '['), "not YAML");
  expect_yaml_refused("model: {model_config: 3}", "holds 3");
  expect_yaml_refused("model: {pretrained_model_name: gpt2}", "only bert-base-uncased");
  expect_yaml_refused("model: {model_config: {hidden_size: '768'}}", "must be a whole number");
  expect_yaml_refused("model: {model_config: {hidden_size: .inf}}", "must be a whole number");
  expect_yaml_refused("model: {model_config: {layer_norm_eps: nan}}", "must be a number");
}

TEST(LoadYaml, AnchorsDoNotUnfoldWithoutEnd) {
  std::string yaml = "a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n";
  for (int i = 1; i < 9; ++i) {
    yaml += concat("a", i, ": &a", i, " [*a", i - 1);
    for (int j = 1; j < 10; ++j) yaml += concat(", *a", i - 1);
    yaml += "]\n";
  }
  expect_yaml_refused(yaml, "unfolds to more than 20000 values");
}

TEST(LoadYaml, BadInterpolations) {
  const auto with = [](const std::string& value, const std::string& more = "") {
    return concat("model:\n  model_config:\n    hidden_size: ", value, "\n", more);
  };
  expect_yaml_refused(with("${nowhere}"), "\"nowhere\" in ${…} names no key");
  expect_yaml_refused(with("${model.nowhere}"), "names no key");
  expect_yaml_refused(with("${a.5}", "a: [1]"), "names no key");
  expect_yaml_refused(with("${}"), "names no key");
  expect_yaml_refused(with("${model.model_config.hidden_size}"), "leads to itself");
  expect_yaml_refused(with("${a}", "a: ${b}\nb: x${a}\n"), "leads to itself");
  expect_yaml_refused(with("${env:HOME}"), "is a resolver");
  expect_yaml_refused(with("${.name}"), "is a relative name");
  expect_yaml_refused(with("1${a}", "a: 28\n"), "the text \"128\"");
  expect_yaml_refused(with("${a"), "must be a whole number");
  std::string nested;
  for (int i = 0; i < 50000; ++i) nested += "${";
  expect_yaml_refused(with(nested + std::string(50000, '}')), "${");
  std::string growing = "a0: xxxxxxxxxx\n";
  for (int i = 1; i < 12; ++i) {
    growing += concat("a", i, ": ");
    for (int j = 0; j < 10; ++j) growing += concat("${a", i - 1, "}");
    growing += "\n";
  }
  expect_yaml_refused(with("${a11}", growing), "grow without end");
}

TEST(LoadYaml, NamesWithinNamesResolve) {
  const ModelConfig config = load_yaml(
      "which: small\nsizes: {small: 96, large: 768}\ncopy: ${sizes}\n"
      "model: {model_config: {hidden_size: \"${copy.${which}}\"}}\n");
  EXPECT_EQ(config.hidden_size, 96);
}

TEST(FindConfig, InTheFolderOrBesideTheFile) {
  const TestFolder folder;
  expect_error(ErrorKind::kInput, "holds no config.json", [&] { find_config(folder.path()); });
  const std::string weights = folder.write("model.safetensors", "");
  const std::string yaml = folder.write("train.yaml", "model: {}");
  EXPECT_EQ(find_config(weights), yaml);
  folder.write("other.yml", "model: {}");
  expect_error(ErrorKind::kInput, "2 YAML files", [&] { find_config(weights); });
  EXPECT_EQ(find_config(yaml), yaml);
  const std::string json = folder.write("config.json", "{}");
  EXPECT_EQ(find_config(weights), json);
  EXPECT_EQ(find_config(folder.path()), json);
  EXPECT_EQ(find_config(json), json);
  expect_error(ErrorKind::kInput, "no such file", [&] { find_config(folder.path() + "/none"); });
}

}  // namespace
}  // namespace m2
