// Where `m2 embed` takes its texts from.
#pragma once

#include <cstdint>
#include <istream>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "embedding/embedder.h"

namespace m2 {

struct SourceText {
  NamedText named;
  std::string id;     // as JSON; empty where the input names none
  int64_t bytes = 0;  // of the input that this text took
};

class TextSource {
 public:
  virtual ~TextSource() = default;
  // The next text, or nothing at the end. Error(kInput) that names the line or file.
  virtual std::optional<SourceText> next() = 0;
  // Bytes of all texts, or -1 where it is not known.
  virtual int64_t total_bytes() const = 0;
};

std::unique_ptr<TextSource> texts_of_arguments(std::vector<std::string> texts);
// One text a file.
std::unique_ptr<TextSource> texts_of_files(std::vector<std::string> paths);

enum class InputFormat { kAuto, kLines, kJsonl };
// kAuto: JSON lines when the first line is an object with a string "text".
std::unique_ptr<TextSource> texts_of_stream(std::istream& stream, InputFormat format,
                                            int64_t total_bytes);

}  // namespace m2
