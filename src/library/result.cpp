#include <m2/result.h>

#include "core/error.h"
#include "core/text.h"
#include "embedding/vector_text.h"
#include "library/call.h"
#include "library/objects.h"
#include "library/versioned.h"

namespace m2 {
namespace {

m2_vector vector_of(const ResultObject& result, const ResultObject::Entry& entry) {
  m2_vector vector{};
  vector.values = result.values_of(entry).data();
  vector.rows = entry.report.rows;
  vector.width = entry.width;
  vector.text = entry.report.index;
  vector.tokens = entry.report.tokens;
  vector.total_tokens = entry.report.total_tokens;
  vector.characters = entry.report.characters;
  vector.kept = {entry.report.kept.begin, entry.report.kept.end};
  vector.truncated = entry.report.truncated ? 1 : 0;
  vector.chunk = entry.report.chunk;
  vector.chunks = entry.report.chunks;
  return vector;
}

std::string render(const ResultObject& result, size_t index, m2_line_format format) {
  const ResultObject::Entry& entry = result.entry(index);
  WrittenText text;
  text.index = result.first_index + entry.report.index;
  text.id = entry.id;
  text.report = entry.of_text ? &entry.report : nullptr;
  text.rows = entry.report.rows;
  text.matrix = result.matrix;
  text.values = result.values_of(entry);
  switch (number_of(format)) {
    case M2_LINE_JSON:
      return json_line(text);
    case M2_LINE_NUMBERS:
      return number_lines(text);
  }
  throw usage_error(concat(number_of(format), " is no m2_line_format"));
}

}  // namespace
}  // namespace m2

using namespace m2;

extern "C" {

m2_status m2_result_count(const m2_result* result, size_t* count) noexcept {
  return call_guarded([&] {
    check_pointer(count, "count");
    *count = 0;
    *count = results().get(result)->entries.size();
  });
}

m2_status m2_result_get(const m2_result* result, size_t index, m2_vector* vector) noexcept {
  return call_guarded([&] {
    const auto object = results().get(result);
    check_pointer(vector, "vector");
    write_answer(vector_of(*object, object->entry(index)), *vector, "m2_vector");
  });
}

m2_status m2_result_line(m2_result* result, size_t index, m2_line_format format, const char** line,
                         size_t* length) noexcept {
  return call_guarded([&] {
    check_pointer(line, "line");
    *line = nullptr;
    if (length != nullptr) *length = 0;
    const auto object = results().get(result);
    object->line = render(*object, index, format);
    *line = object->line.c_str();
    if (length != nullptr) *length = object->line.size();
  });
}

m2_status m2_result_free(m2_result* result) noexcept {
  return call_guarded([&] { results().free(result); });
}

}  // extern "C"
