// A request's texts as the sequences that are computed, with an account of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "embedding/embedder.h"
#include "serve/options.h"
#include "serve/served_model.h"

namespace m2 {

struct Inputs {
  std::vector<TokenSequence> sequences;  // padded as the model's contract asks
  int64_t tokens = 0;                    // of all, special ones included, pads not
  int64_t computed_tokens = 0;           // pads included
  int64_t characters = 0;
  size_t truncated = 0;          // how many were cut
  int64_t truncated_tokens = 0;  // how much was left out
};

// Tokens of the longest text that the server takes for a model.
int64_t longest_input(const ServedModel& model, const ServeOptions& options);

// ApiError for a list of no inputs (kBadRequest) or of too many (kTooManyInputs).
void check_count(size_t count, const ServeOptions& options, const std::string& param);

// What to do with the texts of one request.
struct InputOptions {
  bool truncate = false;
  TruncationSide cut = TruncationSide::kEnd;
  std::string prompt;
};

// Collects inputs one by one. Every function throws ApiError that names `param`, the field that the
// input came from: kBadRequest for what is empty, no UTF-8 or no token, kContextLength for what is
// too long and not to be cut (both lengths are said), kTooManyInputs beyond a limit of the request.
class InputReader {
 public:
  InputReader(const ServedModel& model, const ServeOptions& options, const InputOptions& input);

  void add_text(const std::string& text, const std::string& param);
  // Two texts as one sequence, for models that judge pairs.
  void add_pair(const std::string& first, const std::string& second, const std::string& param);
  // A list of token ids, special ones included.
  void add_ids(const nlohmann::json& ids, const std::string& param);

  // A string, or a list of strings.
  void add_texts(const nlohmann::json& texts, const std::string& param);
  // Also a list of ids, or a list of such lists.
  void add_texts_or_ids(const nlohmann::json& value, const std::string& param);

  const Inputs& inputs() const { return inputs_; }
  Inputs take() { return std::move(inputs_); }

 private:
  int64_t longest() const { return longest_input(model_, options_); }
  void check_length(int64_t tokens, const std::string& param) const;
  void check_ids(const std::vector<int32_t>& ids, const std::string& param) const;
  void add_sequence(TokenSequence sequence, int64_t tokens_before_cut, const std::string& param);

  const ServedModel& model_;
  const ServeOptions& options_;
  const InputOptions input_;
  Inputs inputs_;
};

}  // namespace m2
