// Sessions: the threads and the memory that computing vectors needs, kept from call to call.
#pragma once

#include <m2/result.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct m2_session m2_session;

typedef struct m2_session_options {
  size_t struct_size;
  int32_t threads;              // the calling one included; 0: one a physical core; at most 1024
  int64_t filter_cache_bytes;   // for filter spectra kept from text to text, which a model's
                                // sessions share: the largest that a living one names holds for
                                // all; 0: 1 GiB; below 0: none is kept. Never changes a bit.
  m2_choice filter_cache_fp16;  // M2_YES: spectra in half precision, kept or not: half the memory,
                                // see docs/numerics.md for the error
} m2_session_options;

M2_INIT_FUNCTION(m2_session_options)

// `*session` is to be given to m2_session_free; it is null where this fails. It keeps the model
// alive. Any thread. A session computes one call at a time; who wants more at once makes more
// sessions of one model. A session does not outlive fork().
// M2_WRONG_USE: a null pointer, a freed model, an option that means nothing. M2_FAILED: the system
// grants no more threads. M2_OUT_OF_MEMORY.
M2_API m2_status m2_session_new(const m2_model* model, const m2_session_options* options,
                                m2_session** session) M2_NOTHROW;

// Ends the handle; a call under way in another thread still ends well. M2_OK for null; M2_WRONG_USE
// for a handle that was freed.
M2_API m2_status m2_session_free(m2_session* session) M2_NOTHROW;

// Makes the session's call that is under way, if there is one, return M2_CANCELLED soon: after the
// layer it is in, seconds for the longest texts. A call that begins later is not touched. Any
// thread, and a progress callback. M2_WRONG_USE: null or a freed session.
M2_API m2_status m2_session_cancel(m2_session* session) M2_NOTHROW;

typedef struct m2_text {
  const char* data;  // UTF-8
  size_t length;     // bytes, or M2_UNTIL_ZERO
  const char* name;  // what errors call it; null: "text 1", "text 2", …
  const char* id;    // UTF-8, for "id" in JSON lines; null: none
} m2_text;

// Token ids of one text, as the model is to see them.
typedef struct m2_ids {
  const int32_t* ids;    // [count]
  const int32_t* mask;   // [count], 1 where a token counts, else 0; null: all count
  const int32_t* types;  // [count], token types; null: zeros
  size_t count;
} m2_ids;

// Called in the thread of m2_embed between layers: `share` of the call's work is done, worth
// `tokens` tokens. Anything but 0 cancels the call. May call the library, but not this session's
// m2_embed.
typedef int (*m2_progress_function)(void* user, double share, double tokens);

typedef struct m2_embed_options {
  size_t struct_size;
  m2_pooling pooling;
  m2_choice normalise;       // scale vectors to length 1
  m2_truncation truncation;  // of texts; ids are never cut
  m2_progress_function progress;
  void* user;               // handed to `progress`
  size_t first_index;       // what JSON lines and names count from, for a run of many calls
  const char* prompt;       // set before every text; "" for none; null: the model's own default
  const char* prompt_name;  // one of the model's prompts instead
  int64_t chunk;            // one vector for each chunk of at most so many tokens, prompt and
                            // special ones included; 0: a text is one vector
  int64_t overlap;          // tokens that a chunk shares with the next
} m2_embed_options;

M2_INIT_FUNCTION(m2_embed_options)

// Vectors of `count` texts, in their order and that of their chunks. A vector depends on its text,
// the model, the library's build and the instruction set: never on the other texts, the session, or
// its threads. `*result` is to be given to m2_result_free; it is null where this fails, and then
// nothing is kept of the call. One call of a session at a time: a second returns M2_WRONG_USE.
// M2_BAD_INPUT: a text is empty, no UTF-8 or too long; its name is said. M2_WRONG_USE: a null
// pointer, a freed session, a model without a tokenizer, an option that means nothing or that the
// model cannot do. M2_CANCELLED. M2_FAILED: a vector came out as NaN or infinity, or `progress`
// threw. M2_OUT_OF_MEMORY.
M2_API m2_status m2_embed(m2_session* session, const m2_text* texts, size_t count,
                          const m2_embed_options* options, m2_result** result) M2_NOTHROW;

// The same of token ids. Under M2_PADDING_MAX_LENGTH the shape given is computed; under
// M2_PADDING_NONE a row ends at its last 1 in the mask, and a 0 before a 1 is refused. Errors as
// above, but that wrong ids are M2_WRONG_USE (outside the vocabulary, none, too many), and so are
// options that are of texts: truncation, prompts and chunks.
M2_API m2_status m2_embed_ids(m2_session* session, const m2_ids* sequences, size_t count,
                              const m2_embed_options* options, m2_result** result) M2_NOTHROW;

#ifdef __cplusplus
}
#endif
