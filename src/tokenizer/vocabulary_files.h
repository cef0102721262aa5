// The files that a tokenizer lies in.
#pragma once

#include <string>
#include <vector>

namespace m2 {

struct VocabularyFile {
  std::string path;
  std::string name;  // that it has in a model's folder
};

// Those of a tokenizer at `path` as Tokenizer::load takes it: a folder's, or the file itself. Empty
// for a folder that holds none.
std::vector<VocabularyFile> vocabulary_files(const std::string& path);

}  // namespace m2
