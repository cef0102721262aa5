// Documents one after the other, out of a list of files.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "documents/input_files.h"

namespace m2 {

struct Document {
  std::string name;  // PATH, or PATH:LINE
  std::string text;  // UTF-8
};

// What keeps a damaged or hostile file from filling memory or running without end.
struct DocumentLimits {
  uint64_t document_bytes = uint64_t{1} << 30;  // of a text, and of a line of JSON
  uint64_t expanded_bytes = uint64_t{1} << 38;  // of one compressed file's content
};

// Where a reader stands: a file, and the documents of it that were read.
struct DocumentPosition {
  size_t file = 0;
  uint64_t documents = 0;
  bool operator==(const DocumentPosition&) const = default;
};

class DocumentReader {
 public:
  DocumentReader(std::vector<InputFile> files, const DocumentLimits& limits);
  ~DocumentReader();

  // The next document, or nothing behind the last. Blank lines of JSON lines and files without a
  // byte are none. Error(kInput) that names file and line: no JSON object with a string "text", no
  // UTF-8, beyond a limit, or as ByteSource's.
  std::optional<Document> next();
  // Where next() goes on.
  DocumentPosition position() const;
  // Goes there from the start, once; lines that are passed over are not looked into. Error(kInput)
  // when the files hold less.
  void skip_to(const DocumentPosition& position);

  // Of all files, on disk: what next() has taken so far, and the whole.
  uint64_t bytes_taken() const;
  uint64_t total_bytes() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace m2
