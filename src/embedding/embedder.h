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
};

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
  Offsets kept;              // characters that the vector is of
  bool truncated = false;
  size_t rows = 0;  // 1, or one a token for Pooling::kNone
  // [rows][vector_size], [rows][hidden_size] for Pooling::kNone; valid during the call.
  std::span<const float> values;
};

class Embedder {
 public:
  Embedder(std::shared_ptr<const Model> model, Tokenizer tokenizer, const SessionOptions& session);

  const Model& model() const { return session_.model(); }
  const Tokenizer& tokenizer() const { return tokenizer_; }
  Session& session() { return session_; }

  // Vectors in the order of the texts. Throws Error(kInput) that names the text when it is empty,
  // no UTF-8, or longer than the model under Truncation::kError (both lengths are said).
  using Deliver = std::function<void(const TextVectors&)>;
  void embed(std::span<const NamedText> texts, const EmbedOptions& options, const Deliver& deliver,
             const Session::GoOn& go_on = {});

 private:
  struct Prepared;
  Prepared prepare(const NamedText& text, Truncation truncation) const;

  Session session_;
  Tokenizer tokenizer_;
};

// The vocabulary that belongs to a model: `path` where given, else the model's folder. Throws
// Error(kInput) that says how to name one when there is none, or when it does not fit the model's
// word embeddings.
Tokenizer load_tokenizer(const std::string& path, const std::string& model_folder,
                         const ModelConfig& config);

// Raw ids, as under a contract: kMaxLength computes the shape given; kNone ends a row at its last 1
// in the mask and refuses a zero before a one. Error(kUsage), naming the row.
TokenSequence sequence_from_ids(std::span<const int64_t> ids, std::span<const int64_t> types,
                                std::span<const int64_t> mask, Padding padding, size_t row);

}  // namespace m2
