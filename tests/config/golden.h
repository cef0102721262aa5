// The golden models on this disk.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace m2 {

// Folders with a config.json and a model.safetensors: the committed ones, and all where the shared
// folder lies beside the repository.
std::vector<std::filesystem::path> golden_folders();

// A safetensors file read in the plainest way: 8 bytes of header length, the header in JSON, the
// data.
class GoldenTensors {
 public:
  explicit GoldenTensors(const std::filesystem::path& path);
  const std::map<std::string, std::vector<int64_t>>& shapes() const { return shapes_; }
  // The values of a float32 tensor.
  std::vector<float> floats(const std::string& name) const;

 private:
  std::map<std::string, std::vector<int64_t>> shapes_;
  std::map<std::string, std::string> data_;
};

}  // namespace m2
