// Tokens: what a text is cut into, and where in the text each lies.
#pragma once

#include <m2/model.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct m2_tokens m2_tokens;

// What becomes of a text that is too long.
typedef enum m2_truncation {
  M2_TRUNCATION_ERROR = 0,  // it is refused with M2_BAD_INPUT; both lengths are said
  M2_TRUNCATION_END = 1,    // its end is cut off
  M2_TRUNCATION_START = 2   // its start is cut off
} m2_truncation;

// [begin, end), in characters (code points) of a text.
typedef struct m2_span {
  int64_t begin;
  int64_t end;
} m2_span;

typedef struct m2_tokenize_options {
  size_t struct_size;
  m2_choice special_tokens;  // [CLS] and [SEP] are set around unless M2_NO
  int64_t max_tokens;        // of the result, special ones included; 0: no limit
  m2_truncation truncation;  // beyond max_tokens
} m2_tokenize_options;

M2_INIT_FUNCTION(m2_tokenize_options)

// Tokens of `length` bytes of UTF-8 at `text`, of any length. `*tokens` is to be given to
// m2_tokens_free; it is null where this fails. Any thread, any number at once.
// M2_BAD_INPUT: no UTF-8 (the first bad byte is named), or longer than max_tokens under
// M2_TRUNCATION_ERROR. M2_WRONG_USE: a null pointer, a freed model, one without a tokenizer, an
// option that means nothing. M2_OUT_OF_MEMORY.
M2_API m2_status m2_tokenize(const m2_model* model, const char* text, size_t length,
                             const m2_tokenize_options* options, m2_tokens** tokens) M2_NOTHROW;

typedef struct m2_token_list {
  size_t struct_size;
  size_t count;
  const int32_t* ids;    // [count]
  const m2_span* spans;  // [count]; {0, 0} for the special tokens set around
  int64_t total_tokens;  // what count would be without a limit
} m2_token_list;

M2_INIT_FUNCTION(m2_token_list)

// Fills `*list`, which m2_token_list_init() began; its arrays live until m2_tokens_free. Any
// thread, any number at once. M2_WRONG_USE: a null pointer, freed tokens, a struct that was not
// begun.
M2_API m2_status m2_tokens_get(const m2_tokens* tokens, m2_token_list* list) M2_NOTHROW;

// M2_OK for null; M2_WRONG_USE for a handle that was freed.
M2_API m2_status m2_tokens_free(m2_tokens* tokens) M2_NOTHROW;

// What the vocabulary says for an id, as "##ing"; valid until m2_model_free. Any thread, any number
// at once. M2_WRONG_USE: a null pointer, a freed model, one without a tokenizer, an id outside the
// vocabulary.
M2_API m2_status m2_token_text(const m2_model* model, int32_t id, const char** text) M2_NOTHROW;

#ifdef __cplusplus
}
#endif
