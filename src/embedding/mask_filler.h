// Words for the masked places of a text, by a model with a head of masked language modelling.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "inference/session.h"
#include "tokenizer/tokenizer.h"

namespace m2 {

struct WordGuess {
  int32_t id = 0;
  double probability = 0;  // softmax over the vocabulary
};

struct MaskedPlace {
  size_t position = 0;             // of the token, [CLS] being 0
  std::vector<WordGuess> guesses;  // most probable first; of equal ones the lower id
};

// One call at a time.
class MaskFiller {
 public:
  // `model` has its mlm_head. Throws Error(kInput) for a vocabulary without a mask token.
  MaskFiller(std::shared_ptr<const Model> model, Tokenizer tokenizer,
             const SessionOptions& options);

  const Tokenizer& tokenizer() const { return tokenizer_; }

  // The `count` most probable words for each mask token of `text`, in its order. Throws
  // Error(kInput) for a text without one and for one longer than the model.
  std::vector<MaskedPlace> fill(std::string_view text, size_t count,
                                const Session::GoOn& go_on = {});

 private:
  TokenSequence tokens_of(std::string_view text) const;
  std::vector<WordGuess> guess(std::span<const float> hidden, size_t count) const;

  Session session_;
  Tokenizer tokenizer_;
};

}  // namespace m2
