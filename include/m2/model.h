// Models: loaded once, shared by any number of sessions and threads.
#pragma once

#include <m2/base.h>

#ifdef __cplusplus
extern "C" {
#endif

// A handle is a name, not an address: a call with one that was freed returns M2_WRONG_USE.
typedef struct m2_model m2_model;

typedef enum m2_padding {
  M2_PADDING_DEFAULT = 0,    // the model's own contract
  M2_PADDING_NONE = 1,       // a text is computed at its own length
  M2_PADDING_MAX_LENGTH = 2  // padded to the model's length, pads mixed in
} m2_padding;

typedef enum m2_pooling {
  M2_POOLING_DEFAULT = 0,  // the model's own
  M2_POOLING_CLS = 1,      // hidden state of token 0
  M2_POOLING_MEAN = 2,     // mean of the hidden states
  M2_POOLING_POOLER = 3,   // the model's own head
  M2_POOLING_NONE = 4      // every token: a text has one vector for each
} m2_pooling;

// What the large products of the encoder are computed in. bf16 and int8 are faster where the
// machine multiplies them, and less exact (docs/numerics.md); norms, filters and heads stay fp32.
typedef enum m2_dtype {
  M2_DTYPE_DEFAULT = 0,  // int8 where the weights are stored so, else fp32
  M2_DTYPE_FP32 = 1,
  M2_DTYPE_BF16 = 2,
  M2_DTYPE_INT8 = 3
} m2_dtype;

typedef struct m2_model_options {
  size_t struct_size;
  const char* config;     // config.json or YAML where it does not lie beside the weights
  const char* tokenizer;  // a folder, tokenizer.json or vocab.txt where the model has none
  m2_padding padding;     // another contract gives other vectors; a warning says so
  int without_tokenizer;  // not 0: none is looked for; the model takes ids alone
  m2_dtype dtype;
} m2_model_options;

M2_INIT_FUNCTION(m2_model_options)

// Reads a model: `path` is what the program takes as --model-id. `*model` is to be given to
// m2_model_free; it is null where this fails. Any thread, any number at once.
// M2_BAD_INPUT: files that are missing, damaged or do not fit together, also for want of a
// tokenizer. M2_WRONG_USE: `path` or `model` is null, an option means nothing, or the environment
// variable M2_ISA names no instruction set of this machine. M2_OUT_OF_MEMORY.
M2_API m2_status m2_model_load(const char* path, const m2_model_options* options,
                               m2_model** model) M2_NOTHROW;

// Ends the handle. Sessions made from the model keep what they need, and so does a call under way
// in another thread. M2_OK for null; M2_WRONG_USE for a handle that was freed.
M2_API m2_status m2_model_free(m2_model* model) M2_NOTHROW;

typedef struct m2_model_info {
  size_t struct_size;
  int64_t vector_size;          // floats of one vector, as the model pools by itself
  int64_t max_tokens;           // of the longest text, special tokens included
  int64_t vocabulary_size;      // ids are below it
  m2_pooling pooling;           // what M2_POOLING_DEFAULT stands for
  m2_padding padding;           // the contract that texts are computed under
  int normalise;                // 1: vectors are scaled to length 1 unless an option says else
  int has_tokenizer;            // 1: it takes texts, 0: ids alone
  const char* family;           // "m2_bert", "mosaic_bert", "bert"; valid for ever
  const char* instruction_set;  // in use: "amx", "avx512", "avx2", "sse4", "scalar"; valid for ever
  m2_dtype dtype;               // what M2_DTYPE_DEFAULT stood for, or what was asked for
  m2_dtype multiplied;  // the same, or M2_DTYPE_FP32 where this machine has no such products
                        // and widens what was rounded
} m2_model_info;

M2_INIT_FUNCTION(m2_model_info)

// Fills `*info`, which m2_model_info_init() began. Any thread, any number at once.
// M2_WRONG_USE: a null pointer, a freed model, a struct that was not begun.
M2_API m2_status m2_model_get_info(const m2_model* model, m2_model_info* info) M2_NOTHROW;

#ifdef __cplusplus
}
#endif
