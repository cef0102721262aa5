// Whole repositories of each shape are tested by tests/apps/m2/hub_download_test.py.
#include "hub/wanted_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>

namespace m2 {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// The files and, of the lists among them, the contents.
WantedFiles wanted_of(const std::map<std::string, std::string>& files) {
  FileListing listing;
  for (const auto& [name, text] : files) listing.names.insert(name);
  listing.read = [&](const std::string& name) { return files.at(name); };
  return wanted_files(listing);
}

TEST(WantedFiles, TheWeightsComeLast) {
  const WantedFiles wanted = wanted_of({{"model.safetensors", ""},
                                        {"config.json", ""},
                                        {"tokenizer.json", ""},
                                        {"pytorch_model.bin", ""},
                                        {"README.md", ""}});
  EXPECT_THAT(wanted.names, ElementsAre("config.json", "tokenizer.json", "model.safetensors"));
  EXPECT_TRUE(wanted.has_weights);
  EXPECT_THAT(wanted.absent, ElementsAre("modules.json"));
}

TEST(WantedFiles, AnIndexComesBehindItsShards) {
  const std::string index = R"({"weight_map": {"x": "b.bin", "y": "a.bin", "z": "b.bin"}})";
  std::map<std::string, std::string> files = {
      {"pytorch_model.bin.index.json", index}, {"a.bin", ""}, {"b.bin", ""}, {"c.bin", ""}};
  EXPECT_THAT(wanted_of(files).names,
              ElementsAre("a.bin", "b.bin", "pytorch_model.bin.index.json"));
  EXPECT_TRUE(wanted_of(files).has_weights);
  files.erase("b.bin");
  EXPECT_FALSE(wanted_of(files).has_weights);
}

TEST(WantedFiles, AnIndexWithAHoleIsNotReplacedByAnotherFile) {
  const WantedFiles wanted = wanted_of(
      {{"model.safetensors.index.json", R"({"weight_map": {"x": "a.safetensors", "y": "b"}})"},
       {"a.safetensors", ""},
       {"pytorch_model.bin", ""}});
  EXPECT_THAT(wanted.names, IsEmpty());
  EXPECT_FALSE(wanted.has_weights);
}

TEST(WantedFiles, ADenseModuleNeedsItsWeights) {
  const std::string modules = R"([{"type": "s.models.Transformer", "path": ""},
                                  {"type": "s.models.Pooling", "path": "1_Pooling"},
                                  {"type": "s.models.Dense", "path": "2_Dense"}])";
  std::map<std::string, std::string> files = {
      {"modules.json", modules},     {"config.json", ""},         {"vocab.txt", ""},
      {"1_Pooling/config.json", ""}, {"2_Dense/config.json", ""}, {"2_Dense/pytorch_model.bin", ""},
      {"model.safetensors", ""}};
  const WantedFiles wanted = wanted_of(files);
  EXPECT_TRUE(wanted.has_weights);
  EXPECT_THAT(wanted.absent, IsEmpty());
  EXPECT_THAT(wanted.names,
              ElementsAre("modules.json", "config.json", "vocab.txt", "1_Pooling/config.json",
                          "2_Dense/config.json", "2_Dense/pytorch_model.bin", "model.safetensors"));
  files.erase("2_Dense/pytorch_model.bin");
  EXPECT_FALSE(wanted_of(files).has_weights);
}

TEST(WantedFiles, ListsThatMakeNoSenseAreEmpty) {
  for (const char* text :
       {"", "{", "null", "7", "{}", "[7, null, {}]", R"([{"type": 7, "path": {}}])",
        R"([{"type": "x.Transformer", "path": "../x"}])"}) {
    const WantedFiles wanted = wanted_of({{"modules.json", text}, {"model.safetensors", ""}});
    EXPECT_THAT(wanted.names, ElementsAre("modules.json", "model.safetensors")) << text;
  }
  for (const char* text : {"", "[", "7", "[]", R"({"weight_map": 7})",
                           R"({"weight_map": {"a": 7}})", R"({"weight_map": {"a": "../a.bin"}})"}) {
    EXPECT_FALSE(wanted_of({{"pytorch_model.bin.index.json", text}, {"../a.bin", ""}}).has_weights)
        << text;
  }
}

TEST(WantedFiles, AYamlFileIsAConfiguration) {
  EXPECT_THAT(wanted_of({{"a.yaml", ""}, {"b/c.yaml", ""}, {"m.pt", ""}}).names,
              ElementsAre("a.yaml", "m.pt"));
  EXPECT_THAT(wanted_of({{"a.yaml", ""}, {"m.pt", ""}}).absent,
              ElementsAre("modules.json", "tokenizer.json"));
  EXPECT_THAT(wanted_of({{"config.json", ""}, {"a.yaml", ""}, {"m.pt", ""}}).names,
              ElementsAre("config.json", "m.pt"));
}

}  // namespace
}  // namespace m2
