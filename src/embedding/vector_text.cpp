#include "embedding/vector_text.h"

#include <array>
#include <charconv>

#include "core/text.h"

namespace m2 {
namespace {

void append_number(std::string& out, float value) {
  std::array<char, 32> buffer{};
  const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  out.append(buffer.data(), result.ptr);
}

void append_report(std::string& line, const TextVectors& report) {
  if (report.chunks > 0) {
    line += concat(",\"chunk\":", report.chunk, ",\"chunks\":", report.chunks,
                   ",\"character_span\":[", report.kept.begin, ",", report.kept.end, "]");
  }
  line +=
      concat(",\"tokens\":", report.tokens, ",\"truncated\":", report.truncated ? "true" : "false");
  if (!report.truncated) return;
  line += concat(",\"total_tokens\":", report.total_tokens, ",\"characters\":", report.characters,
                 ",\"kept_characters\":[", report.kept.begin, ",", report.kept.end, "]");
}

}  // namespace

void append_numbers(std::string& out, std::span<const float> values, const char* separator) {
  for (size_t i = 0; i < values.size(); ++i) {
    if (i > 0) out += separator;
    append_number(out, values[i]);
  }
}

std::string json_line(const WrittenText& text) {
  std::string line = concat("{\"index\":", text.index);
  if (!text.id.empty()) line += ",\"id\":" + text.id;
  if (text.report != nullptr) append_report(line, *text.report);
  line += ",\"embedding\":";
  const size_t width = text.values.size() / text.rows;
  if (text.matrix) line += '[';
  for (size_t row = 0; row < text.rows; ++row) {
    line += row == 0 ? "[" : ",[";
    append_numbers(line, text.values.subspan(row * width, width), ",");
    line += ']';
  }
  if (text.matrix) line += ']';
  return line + "}\n";
}

std::string number_lines(const WrittenText& text) {
  const size_t width = text.values.size() / text.rows;
  std::string lines;
  for (size_t row = 0; row < text.rows; ++row) {
    append_numbers(lines, text.values.subspan(row * width, width), " ");
    lines += '\n';
  }
  return lines;
}

}  // namespace m2
