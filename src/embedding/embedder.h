// embedding: texts to vectors, with a report of what became of each. Uses inference, tokenizer and
// what lies below.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "inference/session.h"
#include "tokenizer/tokenizer.h"

namespace m2 {

enum class Truncation { kError, kEnd, kStart };

struct EmbedOptions {
  std::optional<Pooling> pooling;  // the model's own where not given
  std::optional<bool> normalise;   // likewise
  Truncation truncation = Truncation::kError;
  std::optional<std::string> prompt;       // set before every text
  std::optional<std::string> prompt_name;  // one of the model's prompts instead
  // Most tokens of a chunk, prompt and special ones included; 0: a text is one vector.
  int64_t chunk = 0;
  int64_t overlap = 0;  // of the text's own tokens, shared by a chunk and the next
};

// The prompt that the options ask for: `prompt` as it is, the model's one of that name, or its
// default; empty where there is none. Error(kUsage) where both are given, or the model has none of
// that name (the line lists those it has); Error(kInput) where the model pools without its prompt,
// which is not supported.
std::string prompt_of(const Model& model, const EmbedOptions& options);

// A text and what to call it in an error: "text 3", "line 7 of standard input", a file's name.
struct NamedText {
  std::string text;
  std::string name;
};

struct TextVectors {
  size_t index = 0;          // within the call
  int64_t tokens = 0;        // computed, special ones included, pads not
  int64_t total_tokens = 0;  // of the whole text, special ones included
  int64_t characters = 0;    // of the text
  Offsets kept;              // characters that the vector is of; those of a text's chunks leave
                             // none out
  bool truncated = false;
  size_t rows = 0;    // 1, or one a token for Pooling::kNone
  size_t chunk = 0;   // of `chunks`
  size_t chunks = 0;  // 0 where chunks were not asked for
  // [rows][vector_size], [rows][hidden_size] for Pooling::kNone; valid during the call.
  std::span<const float> values;
};

class Embedder {
 public:
  Embedder(std::shared_ptr<const Model> model, Tokenizer tokenizer, const SessionOptions& session);

  const Model& model() const { return session_.model(); }
  const Tokenizer& tokenizer() const { return tokenizer_; }
  Session& session() { return session_; }

  // Vectors in the order of the texts, and of a text's chunks. Throws Error(kInput) that names the
  // text when it is empty, no UTF-8, or longer than the model under Truncation::kError (both
  // lengths are said); Error(kUsage) where the prompt and the special tokens leave no room for a
  // text, where a chunk is longer than the model or not longer than the overlap, and for chunks of
  // texts that are also to be cut.
  using Deliver = std::function<void(const TextVectors&)>;
  void embed(std::span<const NamedText> texts, const EmbedOptions& options, const Deliver& deliver,
             const Session::GoOn& go_on = {});

 private:
  struct Prepared;
  void prepare(const NamedText& text, const std::string& prompt, const EmbedOptions& options,
               size_t index, Prepared& out) const;

  Session session_;
  Tokenizer tokenizer_;
};

// The vocabulary that belongs to a model: `path` where given, else the model's folder. Throws
// Error(kInput) that says how to name one when there is none, or when it does not fit the model's
// word embeddings.
Tokenizer load_tokenizer(const std::string& path, const Model& model);
Tokenizer load_tokenizer(const std::string& path, const ModelDescription& model);

// Adds the pads that the model's contract asks for to a sequence no longer than the model.
void pad_to_contract(const ModelConfig& config, TokenSequence& sequence);

// Raw ids, as under a contract: kMaxLength computes the shape given; kNone ends a row at its last 1
// in the mask and refuses a zero before a one. Error(kUsage), naming the row.
TokenSequence sequence_from_ids(std::span<const int64_t> ids, std::span<const int64_t> types,
                                std::span<const int64_t> mask, Padding padding, size_t row);

}  // namespace m2
