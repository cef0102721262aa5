#include "config/name_matching.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/config_files.h"
#include "config/golden.h"
#include "config/load_config.h"
#include "config/presets.h"

namespace m2 {
namespace {

using Names = std::vector<std::string>;

ModelConfig small_model() {
  ModelConfig config = preset("m2-bert-80M", 64);
  config.num_hidden_layers = 2;
  return config;
}

// The names a complete file of that model has, each after `edit`.
template <class Edit>
Names names_of(const ModelConfig& config, const Edit& edit, ParameterScope scope = {}) {
  Names names;
  for (const Parameter& parameter : parameters(config, scope))
    names.push_back(edit(parameter.name));
  return names;
}

Names names_of(const ModelConfig& config) {
  return names_of(config, [](const std::string& name) { return name; });
}

void expect_refused(const ModelConfig& config, const Names& names, const std::string& part) {
  expect_error(ErrorKind::kInput, part,
               [&] { match_names(config, parameters(config), names, "weights.bin"); });
}

std::string without(const std::string& name, const std::string& prefix) {
  return name.substr(prefix.size());
}

TEST(NameMatching, EveryPrefixThatFilesHave) {
  const ModelConfig config = small_model();
  for (const std::string prefix : {"", "model.", "module.", "model.module.", "module.model."}) {
    const auto match = match_names(
        config, parameters(config),
        names_of(config, [&](const std::string& name) { return prefix + name; }), "weights.bin");
    EXPECT_EQ(match.file_names.size(), parameters(config).size());
    EXPECT_EQ(*match.find("bert.pooler.dense.bias"), prefix + "bert.pooler.dense.bias");
    EXPECT_TRUE(match.missing.empty() && match.surplus.empty());
  }
  for (const std::string prefix : {"", "model.", "module."}) {
    const auto match = match_names(
        config, parameters(config),
        names_of(config, [&](const auto& name) { return prefix + without(name, "bert."); }), "f");
    EXPECT_EQ(match.file_names.size(), parameters(config).size());
  }
}

TEST(NameMatching, SurplusThatMayBeThereIsListed) {
  const ModelConfig config = small_model();
  Names names = names_of(config);
  const Names extra = {"bert.embeddings.position_ids", "bert.encoder.flashfft.f_32_fft",
                       "bert.encoder.layer.0.attention.filter_fn.flashfft.twiddle",
                       "classifier.bias", "cls.predictions.decoder.weight"};
  names.insert(names.end(), extra.begin(), extra.end());
  const auto match = match_names(config, parameters(config), names, "weights.bin");
  EXPECT_THAT(match.surplus, testing::UnorderedElementsAreArray(extra));
}

TEST(NameMatching, MissingOptionalsAreListed) {
  const ModelConfig config = small_model();
  const ParameterScope all{.pooler = true, .classifier = true, .mlm_head = true};
  Names names = names_of(config, [](const auto& name) { return name; }, {.pooler = false});
  const auto match = match_names(config, parameters(config, all), names, "weights.bin");
  EXPECT_THAT(match.missing, testing::IsSupersetOf({"bert.pooler.dense.weight", "classifier.bias",
                                                    "cls.predictions.transform.dense.weight"}));
  EXPECT_EQ(match.find("bert.pooler.dense.weight"), nullptr);
  // Tied to the word embeddings, which are there.
  EXPECT_EQ(*match.find("cls.predictions.decoder.weight"),
            "bert.embeddings.word_embeddings.weight");
}

TEST(NameMatching, AnyOfATiedGroupServesAll) {
  const ModelConfig config = small_model();
  const std::string filter = "bert.encoder.layer.1.attention.filter_fn.";
  Names names = names_of(config);
  const auto is_other_freq = [&](const std::string& name) {
    return name.starts_with(filter) && name.ends_with("freq") &&
           name != filter + "implicit_filter.1.freq";
  };
  EXPECT_EQ(std::erase_if(names, is_other_freq), 5u);
  const auto match = match_names(config, parameters(config), names, "weights.bin");
  EXPECT_EQ(*match.find(filter + "implicit_filter_rev.5.freq"), filter + "implicit_filter.1.freq");
  std::erase(names, filter + "implicit_filter.1.freq");
  expect_refused(config, names, filter + "implicit_filter.1.freq");
}

TEST(NameMatching, MissingAndSurplusWeightsAreNamed) {
  const ModelConfig config = small_model();
  Names names = names_of(config);
  std::erase(names, "bert.encoder.layer.1.mlp.wo.bias");
  expect_refused(config, names, "weights.bin: lacks the weight bert.encoder.layer.1.mlp.wo.bias");
  std::erase_if(names, [](const std::string& name) { return name.find("mlp") != name.npos; });
  expect_refused(config, names, "and 7 more");
  names = names_of(config);
  names.push_back("bert.encoder.layer.2.mlp.wo.bias");
  expect_refused(config, names, "holds bert.encoder.layer.2.mlp.wo.bias");
  names.back() = "model.bert.pooler.dense.bias";
  expect_refused(config, names, "which mean one weight");
}

TEST(NameMatching, SwitchesThatExplainADifferenceAreNamed) {
  const struct {
    bool ModelConfig::* member;
    const char* key;
  } switches[] = {{&ModelConfig::hyena_training_additions, "hyena_training_additions"},
                  {&ModelConfig::residual_long_conv, "residual_long_conv"},
                  {&ModelConfig::bidirectional, "bidirectional"},
                  {&ModelConfig::use_positional_encodings, "use_positional_encodings"}};
  for (const auto& [member, key] : switches) {
    ModelConfig on = small_model();
    ModelConfig off = on;
    on.*member = true;
    off.*member = false;
    expect_refused(off, names_of(on), std::string("set \"") + key + "\": true");
    expect_refused(on, names_of(off), std::string("set \"") + key + "\": false");
  }
}

TEST(NameMatching, AnotherFamilysWeightsNameBoth) {
  const char* presets[] = {"m2-bert-80M", "mosaic-bert-base", "bert-base"};
  const char* signs[] = {"in_linear", "Wqkv", "self."};
  for (size_t i = 0; i < 3; ++i) {
    for (size_t j = 0; j < 3; ++j) {
      const ModelConfig config = preset(presets[i], 64);
      const ModelConfig held = preset(presets[j], 64);
      if (i == j) {
        EXPECT_TRUE(match_names(config, parameters(config), names_of(held), "f").missing.empty());
        continue;
      }
      expect_refused(config, names_of(held), signs[j]);
      expect_refused(config, names_of(held), family_name(config.family));
      expect_refused(config, names_of(held), family_name(held.family));
    }
  }
}

TEST(NameMatching, CanonicalNames) {
  EXPECT_EQ(canonical_name("module.model.bert.pooler.dense.bias"), "bert.pooler.dense.bias");
  EXPECT_EQ(canonical_name("encoder.layer.0.x"), "bert.encoder.layer.0.x");
  EXPECT_EQ(canonical_name("bert.embeddings.LayerNorm.gamma"), "bert.embeddings.LayerNorm.weight");
  EXPECT_EQ(canonical_name("bert.embeddings.LayerNorm.beta"), "bert.embeddings.LayerNorm.bias");
  EXPECT_EQ(canonical_name("model.classifier.bias"), "classifier.bias");
  EXPECT_EQ(canonical_name("model."), "");
}

TEST(NameMatching, GoldenFilesMatch) {
  const auto folders = golden_folders();
  if (folders.empty()) GTEST_SKIP() << "no golden folder with a config.json";
  for (const auto& folder : folders) {
    SCOPED_TRACE(folder.filename().string());
    const ModelConfig config = load_model_config((folder / "config.json").string());
    Names names;
    const GoldenTensors file(folder / "model.safetensors");
    for (const auto& [name, shape] : file.shapes()) {
      names.push_back(name);
    }
    const auto list = parameters(config);
    const auto match = match_names(config, list, names, folder.string());
    EXPECT_EQ(match.file_names.size(), list.size());
    EXPECT_TRUE(match.missing.empty());
  }
}

}  // namespace
}  // namespace m2
