// The golden models on this disk.
#pragma once

#include <algorithm>
#include <filesystem>
#include <vector>

namespace m2 {

// Folders with a config.json and a model.safetensors: the committed ones, and all where the shared
// folder lies beside the repository.
inline std::vector<std::filesystem::path> golden_folders() {
  namespace fs = std::filesystem;
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

}  // namespace m2
