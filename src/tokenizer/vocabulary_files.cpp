#include "tokenizer/vocabulary_files.h"

#include <filesystem>

#include "tokenizer/tokenizer_files.h"

namespace m2 {

namespace fs = std::filesystem;

std::vector<VocabularyFile> vocabulary_files(const std::string& path) {
  std::error_code problem;
  if (!fs::is_directory(path, problem)) {
    return {{path, fs::path(path).extension() == ".json" ? "tokenizer.json" : "vocab.txt"}};
  }
  std::vector<VocabularyFile> files;
  for (const char* name :
       {"tokenizer.json", "vocab.txt", "tokenizer_config.json", "special_tokens_map.json"}) {
    const std::string file = (fs::path(path) / name).string();
    if (file_exists(file)) files.push_back({file, name});
  }
  return files;
}

}  // namespace m2
