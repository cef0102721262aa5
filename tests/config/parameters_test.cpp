#include "config/parameters.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <set>

#include "config/golden.h"
#include "config/load_config.h"
#include "config/presets.h"

namespace m2 {
namespace {

namespace fs = std::filesystem;
using Shapes = std::map<std::string, std::vector<int64_t>>;

TEST(Parameters, NamesAndShapesEqualTheGoldenFiles) {
  const auto folders = golden_folders();
  if (folders.empty()) GTEST_SKIP() << "no golden folder with a config.json";
  for (const fs::path& folder : folders) {
    SCOPED_TRACE(folder.filename().string());
    const ModelConfig config = load_model_config((folder / "config.json").string());
    Shapes expected = GoldenTensors(folder / "model.safetensors").shapes();
    expected.erase("bert.embeddings.position_ids");  // a constant of the research code, no weight
    Shapes listed;
    for (const Parameter& parameter : parameters(config, {.classifier = true})) {
      EXPECT_TRUE(listed.emplace(parameter.name, parameter.shape).second) << parameter.name;
    }
    EXPECT_EQ(listed, expected);
  }
}

std::map<std::string, Parameter> by_name(const ModelConfig& config) {
  std::map<std::string, Parameter> result;
  for (const Parameter& parameter : parameters(config, {.classifier = true, .mlm_head = true})) {
    EXPECT_TRUE(result.emplace(parameter.name, parameter).second) << parameter.name;
  }
  return result;
}

TEST(Parameters, TiedOnesFollowTheirOwners) {
  for (const Preset& known : kPresets) {
    std::set<std::string> owners;
    for (const Parameter& parameter :
         parameters(preset(known.name, 64), {.classifier = true, .mlm_head = true})) {
      if (parameter.tied_to.empty()) {
        owners.insert(parameter.name);
      } else {
        EXPECT_TRUE(owners.contains(parameter.tied_to)) << parameter.name;
        EXPECT_TRUE(parameter.optional) << parameter.name;
      }
    }
  }
}

TEST(Parameters, WhatTrainsAndWhatIsTied) {
  auto list = by_name(preset("m2-bert-80M", 2048));
  const std::string filter = "bert.encoder.layer.3.attention.filter_fn2.";
  EXPECT_FALSE(list.at(filter + "pos_emb.t").trainable);
  EXPECT_FALSE(list.at(filter + "modulation.deltas").trainable);
  EXPECT_TRUE(list.at(filter + "pos_emb.z").trainable);
  EXPECT_TRUE(list.at(filter + "bias").trainable);
  EXPECT_EQ(list.at(filter + "implicit_filter.1.freq").tied_to, "");
  for (const char* tied : {"implicit_filter.3", "implicit_filter.5", "implicit_filter_rev.1",
                           "implicit_filter_rev.3", "implicit_filter_rev.5"}) {
    EXPECT_EQ(list.at(filter + tied + ".freq").tied_to, filter + "implicit_filter.1.freq");
  }
  EXPECT_EQ(list.at("cls.predictions.decoder.weight").tied_to,
            "bert.embeddings.word_embeddings.weight");
  EXPECT_TRUE(list.at("bert.pooler.dense.weight").optional);
  EXPECT_FALSE(list.at(filter + "bias").optional);
  EXPECT_EQ(list.at(filter + "pos_emb.z").length_axis, 1);
  EXPECT_EQ(list.at("bert.embeddings.position_embeddings.weight").length_axis, 0);
  EXPECT_EQ(list.at("bert.embeddings.position_embeddings.weight").part, Part::kPositions);
}

// Of the first layer; no product lies elsewhere.
std::map<std::string, Product> products_of(const ModelConfig& config) {
  const std::string layer = "bert.encoder.layer.";
  std::map<std::string, Product> found;
  for (const auto& [name, parameter] : by_name(config)) {
    if (parameter.product == Product::kNone) continue;
    EXPECT_TRUE(name.starts_with(layer)) << name;
    if (name.starts_with(layer + "0.")) found[name.substr(layer.size() + 2)] = parameter.product;
  }
  return found;
}

TEST(Parameters, WhichAreMultiplied) {
  using Products = std::map<std::string, Product>;
  const Products mlp = {{"mlp.gated_layers.weight", Product::kLarge},
                        {"mlp.wo.weight", Product::kLarge}};
  Products mixer = mlp, mosaic = mlp;
  mixer["attention.in_linear.weight"] = Product::kLarge;
  mixer["attention.out_linear.weight"] = Product::kSensitive;
  mosaic["attention.self.Wqkv.weight"] = mosaic["attention.output.dense.weight"] = Product::kLarge;
  Products bert;
  for (const char* name : {"attention.self.query", "attention.self.key", "attention.self.value",
                           "attention.output.dense", "intermediate.dense", "output.dense"}) {
    bert[std::string(name) + ".weight"] = Product::kLarge;
  }
  ModelConfig config = preset("m2-bert-80M", 2048);
  EXPECT_EQ(products_of(config), mixer);
  config.use_monarch_mlp = false;
  EXPECT_EQ(products_of(config), mixer);
  EXPECT_EQ(products_of(preset("mosaic-bert-base", 512)), mosaic);
  EXPECT_EQ(products_of(preset("bert-base", 512)), bert);
}

TEST(Parameters, OutputsAreRowsOfTheLastAxis) {
  const auto list = by_name(preset("m2-bert-80M", 2048));
  const std::string layer = "bert.encoder.layer.0.";
  EXPECT_EQ(list.at(layer + "attention.in_linear.weight").outputs(), 3 * 768);
  EXPECT_EQ(list.at(layer + "mlp.gated_layers.weight").outputs(), 6144);  // (4, 1536, 192)
}

// BERT's own names, written out as transformers has them.
TEST(Parameters, PlainBert) {
  ModelConfig config = preset("bert-base", 512);
  config.num_hidden_layers = 1;
  const std::vector<int64_t> wide{3072, 768}, square{768, 768}, row{768};
  Shapes expected = {{"bert.embeddings.word_embeddings.weight", {30522, 768}},
                     {"bert.embeddings.position_embeddings.weight", {512, 768}},
                     {"bert.embeddings.token_type_embeddings.weight", {2, 768}},
                     {"bert.embeddings.LayerNorm.weight", row},
                     {"bert.embeddings.LayerNorm.bias", row},
                     {"bert.pooler.dense.weight", square},
                     {"bert.pooler.dense.bias", row},
                     {"bert.encoder.layer.0.intermediate.dense.weight", wide},
                     {"bert.encoder.layer.0.intermediate.dense.bias", {3072}},
                     {"bert.encoder.layer.0.output.dense.weight", {768, 3072}},
                     {"bert.encoder.layer.0.output.dense.bias", row},
                     {"bert.encoder.layer.0.output.LayerNorm.weight", row},
                     {"bert.encoder.layer.0.output.LayerNorm.bias", row},
                     {"bert.encoder.layer.0.attention.output.LayerNorm.weight", row},
                     {"bert.encoder.layer.0.attention.output.LayerNorm.bias", row}};
  for (const char* dense : {"self.query", "self.key", "self.value", "output.dense"}) {
    expected[std::string("bert.encoder.layer.0.attention.") + dense + ".weight"] = square;
    expected[std::string("bert.encoder.layer.0.attention.") + dense + ".bias"] = row;
  }
  Shapes listed;
  for (const Parameter& parameter : parameters(config)) listed[parameter.name] = parameter.shape;
  EXPECT_EQ(listed, expected);
}

}  // namespace
}  // namespace m2
