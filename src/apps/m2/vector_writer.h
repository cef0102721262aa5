// How `m2 embed` writes vectors.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "cli/output_file.h"
#include "embedding/embedder.h"

namespace m2 {

enum class VectorFormat { kJsonl, kNpy, kText };

// By the name's suffix (.jsonl, .npy, .txt); nothing for another one.
std::optional<VectorFormat> format_of_name(const std::string& path);

// One text's vectors and what is said of them.
struct WrittenText {
  size_t index = 0;                     // from 0, over the whole run
  std::string id;                       // as JSON; empty: none
  const TextVectors* report = nullptr;  // null for raw ids
  size_t rows = 1;
  bool matrix = false;  // one vector a token: a list of lists
  std::span<const float> values;
};

class VectorWriter {
 public:
  virtual ~VectorWriter() = default;
  virtual void write(const WrittenText& text) = 0;
  // After the last text.
  virtual void finish() {}
};

// jsonl:  {"index", "id"?, "tokens", "truncated", "total_tokens"?, "kept_characters"?, "embedding"}
// text:   numbers between blanks, a line a vector
// npy:    float32 [texts][H], or [texts][tokens][H] where every text has as many tokens
std::unique_ptr<VectorWriter> make_writer(VectorFormat format, OutputFile& output);

}  // namespace m2
