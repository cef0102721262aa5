// Results: vectors, what became of each text, and both as the program would write them.
#pragma once

#include <m2/tokens.h>

#ifdef __cplusplus
extern "C" {
#endif

// Depends on neither the session nor the model that it came from: they may be freed before it.
typedef struct m2_result m2_result;

typedef struct m2_vector {
  size_t struct_size;
  const float* values;   // [rows][width]; live until m2_result_free
  size_t rows;           // 1, or one a token for M2_POOLING_NONE
  size_t width;          // floats of one vector
  size_t text;           // which of the call's texts, from 0
  int64_t tokens;        // computed, special ones included, pads not
  int64_t total_tokens;  // of the whole text, special ones included
  int64_t characters;    // code points of the text; 0 for ids, which have no text
  m2_span kept;          // characters that the vector is of; {0, 0} for ids
  int truncated;         // 1: some of the text is not in the vector
  size_t chunk;          // which of the text's chunks, from 0
  size_t chunks;         // how many those are; 0 where chunks were not asked for
} m2_vector;

M2_INIT_FUNCTION(m2_vector)

// How many m2_vectors there are. Any thread. M2_WRONG_USE: a null pointer, a freed result.
M2_API m2_status m2_result_count(const m2_result* result, size_t* count) M2_NOTHROW;

// Fills `*vector`, which m2_vector_init() began, with number `index`. Any thread, any number at
// once. M2_WRONG_USE: a null pointer, a freed result, an index that is too large, a struct that was
// not begun.
M2_API m2_status m2_result_get(const m2_result* result, size_t index, m2_vector* vector) M2_NOTHROW;

typedef enum m2_line_format {
  M2_LINE_JSON = 0,    // as `m2 embed --format jsonl`
  M2_LINE_NUMBERS = 1  // as `m2 embed --format txt`: a line a row, blanks between the numbers
} m2_line_format;

// The very bytes that `m2 embed` writes for vector `index`, line feed and a zero byte at the end; a
// number has the fewest digits that read back as the same float. `*line` lives until the next
// m2_result_line of this result, or m2_result_free. `length`, which may be null, gets the bytes
// before the zero. One thread at a time.
// M2_WRONG_USE: a null pointer, a freed result, an index that is too large, a format that is none.
// M2_OUT_OF_MEMORY.
M2_API m2_status m2_result_line(m2_result* result, size_t index, m2_line_format format,
                                const char** line, size_t* length) M2_NOTHROW;

// M2_OK for null; M2_WRONG_USE for a handle that was freed.
M2_API m2_status m2_result_free(m2_result* result) M2_NOTHROW;

#ifdef __cplusplus
}
#endif
