// What the API's handles stand for.
#pragma once

#include <m2/model.h>
#include <m2/result.h>
#include <m2/session.h>
#include <m2/tokens.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "embedding/embedder.h"
#include "library/handles.h"

namespace m2 {

struct ModelObject {
  std::shared_ptr<const Model> model;
  std::optional<Tokenizer> tokenizer;

  // Error(kUsage) where there is none.
  const Tokenizer& text_tokenizer() const;
};

struct TokensObject {
  std::vector<int32_t> ids;
  std::vector<m2_span> spans;
  int64_t total_tokens = 0;
};

// One of the two computes: an embedder where the model has a tokenizer, else a bare session.
struct SessionObject {
  std::shared_ptr<const ModelObject> model;
  std::unique_ptr<Embedder> embedder;
  std::unique_ptr<Session> ids_only;
  // One word, so that a cancel falls either into a call or between two.
  enum class State { kIdle, kBusy, kCancelled };
  std::atomic<State> state{State::kIdle};

  Session& session() { return embedder ? embedder->session() : *ids_only; }
};

struct ResultObject {
  struct Entry {
    TextVectors report;  // `values` unused: they lie below
    bool of_text = false;
    size_t first_value = 0;  // in `values`
    size_t width = 0;
    std::string id;  // as JSON; empty: none
  };
  std::vector<float> values;
  std::vector<Entry> entries;
  size_t first_index = 0;
  bool matrix = false;  // a vector for each token
  std::string line;     // of m2_result_line

  const Entry& entry(size_t index) const;
  std::span<const float> values_of(const Entry& entry) const;
};

// Never destroyed: a program may end while threads of its own still use them.
HandleTable<m2_model, ModelObject>& models();
HandleTable<m2_tokens, TokensObject>& tokens();
HandleTable<m2_session, SessionObject>& sessions();
HandleTable<m2_result, ResultObject>& results();

// Options into the words of the rungs below; Error(kUsage) for a number that is no enumerator.
std::optional<Padding> padding_of(const m2_padding& padding);
std::optional<DType> dtype_of(const m2_dtype& dtype);
std::optional<Pooling> pooling_of(const m2_pooling& pooling);
std::optional<bool> choice_of(const m2_choice& choice, const char* name);
Truncation truncation_of(const m2_truncation& truncation);
m2_padding public_padding(Padding padding);
// Of a number type that products are computed in.
m2_dtype public_dtype(DType products);
m2_pooling public_pooling(Pooling pooling);

// `length` bytes at `data`, or those before the zero for M2_UNTIL_ZERO.
std::string_view bytes_of(const char* data, size_t length);

}  // namespace m2
