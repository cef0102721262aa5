// The head of masked language modelling: from a token's hidden state to a number for each word.
//
//   logits = E·LN(GELU(W·x + b)) + c,  E the word embeddings
#pragma once

#include <optional>
#include <span>

#include "core/aligned_buffer.h"
#include "layers/weights.h"
#include "ops/linear.h"
#include "ops/norm.h"

namespace m2 {

class MlmHead {
 public:
  // Null where the file has no such head.
  static std::optional<MlmHead> load(const Weights& weights);

  size_t words() const { return decoder_.out(); }
  // x is one token's hidden state, [hidden_size]; logits are [words()]: those of a table's filling
  // rows too.
  void apply(std::span<const float> x, std::span<float> logits) const;

 private:
  explicit MlmHead(const Weights& weights);
  Linear transform_, decoder_;
  Norm norm_;
};

}  // namespace m2
