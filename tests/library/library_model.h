// A small model on disk, made by the program, and short words for the C API.
#pragma once

#include <m2/m2.h>

#include <memory>
#include <string>
#include <vector>

namespace m2::testing_library {

// Its folder; the longest text has 64 tokens. The same for the whole process.
const std::string& model_folder();

template <class Handle, m2_status (*free_handle)(Handle*)>
struct Free {
  void operator()(Handle* handle) const { static_cast<void>(free_handle(handle)); }
};
using ModelOwner = std::unique_ptr<m2_model, Free<m2_model, m2_model_free>>;
using SessionOwner = std::unique_ptr<m2_session, Free<m2_session, m2_session_free>>;
using ResultOwner = std::unique_ptr<m2_result, Free<m2_result, m2_result_free>>;
using TokensOwner = std::unique_ptr<m2_tokens, Free<m2_tokens, m2_tokens_free>>;

// Each of these expects M2_OK.
ModelOwner load();
SessionOwner session_of(m2_model* model, int threads = 1);
ResultOwner embed(m2_session* session, const std::vector<std::string>& texts,
                  const m2_embed_options* options = nullptr);
// All values of a result, one after the other.
std::vector<float> values_of(m2_result* result);

// A text of `words` words.
std::string words(int count);

// The status of embedding one text.
m2_status status_of(m2_session* session, const std::string& text,
                    const m2_embed_options* options = nullptr);

}  // namespace m2::testing_library
