#include "config/golden.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

namespace m2 {

namespace fs = std::filesystem;

std::vector<fs::path> golden_folders() {
  std::vector<fs::path> folders;
  for (const char* root : {"tests/golden", "../shared/golden"}) {
    const fs::path path = fs::path(M2_SOURCE_DIR) / root;
    if (!fs::exists(path)) continue;
    for (const auto& entry : fs::directory_iterator(path)) {
      if (fs::exists(entry.path() / "config.json") &&
          fs::exists(entry.path() / "model.safetensors")) {
        folders.push_back(entry.path());
      }
    }
  }
  std::sort(folders.begin(), folders.end());
  return folders;
}

GoldenTensors::GoldenTensors(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  uint64_t size = 0;
  std::memcpy(&size, bytes.data(), sizeof size);
  const auto header = nlohmann::json::parse(bytes.substr(sizeof size, size));
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") continue;
    shapes_[name] = entry.at("shape").get<std::vector<int64_t>>();
    const size_t begin = entry.at("data_offsets").at(0), end = entry.at("data_offsets").at(1);
    data_[name] = bytes.substr(sizeof size + size + begin, end - begin);
  }
}

std::vector<float> GoldenTensors::floats(const std::string& name) const {
  const std::string& bytes = data_.at(name);
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

}  // namespace m2
