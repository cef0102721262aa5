// Which files the inputs of a command mean.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "documents/byte_source.h"

namespace m2 {

enum class DocumentFormat {
  kText,       // the whole file is one document
  kJsonLines,  // each line an object whose "text" is one
};

struct InputFile {
  std::string path;
  DocumentFormat format = DocumentFormat::kText;
  Compression compression = Compression::kNone;
  uint64_t bytes = 0;       // on disk
  int64_t modified_ns = 0;  // since the epoch of the system's clock
};

// The files that `inputs` name, in that order. By their names' endings, .gz or .zst behind them
// aside, .jsonl, .ndjson and .json are JSON lines and any other file is text. A folder means the
// files below it, sorted by their paths' bytes: those of the above and of .txt and .text; hidden
// ones and links to folders are left out, others are left out with a warning that counts them.
// Error(kInput) for an input that is not there.
std::vector<InputFile> list_input_files(const std::vector<std::string>& inputs);

}  // namespace m2
