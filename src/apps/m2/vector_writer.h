// How `m2 embed` writes vectors.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "cli/output_file.h"
#include "embedding/vector_text.h"

namespace m2 {

enum class VectorFormat { kJsonl, kNpy, kText };

// By the name's suffix (.jsonl, .npy, .txt); nothing for another one.
std::optional<VectorFormat> format_of_name(const std::string& path);

class VectorWriter {
 public:
  virtual ~VectorWriter() = default;
  virtual void write(const WrittenText& text) = 0;
  // After the last text.
  virtual void finish() {}
};

// jsonl:  json_line, text: number_lines (embedding/vector_text.h)
// npy:    float32 [texts][H], or [texts][tokens][H] where every text has as many tokens
std::unique_ptr<VectorWriter> make_writer(VectorFormat format, OutputFile& output);

}  // namespace m2
