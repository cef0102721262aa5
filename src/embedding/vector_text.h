// Vectors as text: the JSON lines and the rows of numbers that `m2 embed` writes.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "embedding/embedder.h"

namespace m2 {

// Numbers between separators, each with the fewest digits that read back as the same float.
void append_numbers(std::string& out, std::span<const float> values, const char* separator);

// One text's vectors and what is said of them.
struct WrittenText {
  size_t index = 0;                     // from 0, over the whole run
  std::string id;                       // as JSON; empty: none
  const TextVectors* report = nullptr;  // null for raw ids
  size_t rows = 1;
  bool matrix = false;  // one vector a token: a list of lists
  std::span<const float> values;
};

// {"index", "id"?, "chunk"?, "chunks"?, "character_span"?, "tokens", "truncated", "total_tokens"?,
// "characters"?, "kept_characters"?, "embedding"} and a line feed.
std::string json_line(const WrittenText& text);

// Numbers between blanks, a line a vector.
std::string number_lines(const WrittenText& text);

}  // namespace m2
