#include "config/parameters.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "config/golden.h"
#include "config/load_config.h"

namespace m2 {
namespace {

namespace fs = std::filesystem;
using Shapes = std::map<std::string, std::vector<int64_t>>;

// Names and shapes in a safetensors file: 8 bytes of header length, then the header, JSON.
Shapes shapes_in_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  uint64_t size = 0;
  char bytes[sizeof size];
  in.read(bytes, sizeof size);
  std::memcpy(&size, bytes, sizeof size);
  std::string header(size, ' ');
  in.read(header.data(), static_cast<std::streamsize>(size));
  Shapes shapes;
  const auto parsed = nlohmann::json::parse(header);
  for (const auto& [name, entry] : parsed.items()) {
    if (name != "__metadata__") shapes[name] = entry.at("shape").get<std::vector<int64_t>>();
  }
  return shapes;
}

TEST(Parameters, NamesAndShapesEqualTheGoldenFiles) {
  const auto folders = golden_folders();
  if (folders.empty()) GTEST_SKIP() << "no golden folder with a config.json";
  for (const fs::path& folder : folders) {
    SCOPED_TRACE(folder.filename().string());
    const ModelConfig config = load_model_config((folder / "config.json").string());
    Shapes expected = shapes_in_file(folder / "model.safetensors");
    expected.erase("bert.embeddings.position_ids");  // a constant of the research code, no weight
    Shapes listed;
    for (const Parameter& parameter : parameters(config, {.classifier = true})) {
      EXPECT_TRUE(listed.emplace(parameter.name, parameter.shape).second) << parameter.name;
    }
    EXPECT_EQ(listed, expected);
  }
}

}  // namespace
}  // namespace m2
