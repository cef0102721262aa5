#include "embedding/mask_filler.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "core/error.h"
#include "core/text.h"
#include "embedding/embedder.h"

namespace m2 {

MaskFiller::MaskFiller(std::shared_ptr<const Model> model, Tokenizer tokenizer,
                       const SessionOptions& options)
    : session_(std::move(model), options), tokenizer_(std::move(tokenizer)) {
  M2_CHECK(session_.model().mlm_head.has_value());
  if (tokenizer_.special_ids().mask < 0) {
    throw input_error(concat(session_.model().folder, ": its vocabulary has no [MASK]"));
  }
}

TokenSequence MaskFiller::tokens_of(std::string_view text) const {
  const ModelConfig& config = session_.model().config;
  Encoding encoding = tokenizer_.encode(text);
  if (std::ssize(encoding.ids) > config.max_length()) {
    throw input_error(concat("the text has ", encoding.ids.size(), " tokens, the model takes ",
                             config.max_length()));
  }
  TokenSequence sequence;
  sequence.mask.assign(encoding.ids.size(), 1);
  sequence.ids = std::move(encoding.ids);
  sequence.types = std::move(encoding.type_ids);
  pad_to_contract(config, sequence);
  return sequence;
}

std::vector<MaskedPlace> MaskFiller::fill(std::string_view text, size_t count,
                                          const Session::GoOn& go_on) {
  const ModelConfig& config = session_.model().config;
  const TokenSequence sequence = tokens_of(text);
  std::vector<MaskedPlace> places;
  for (size_t i = 0; i < sequence.ids.size(); ++i) {
    if (sequence.ids[i] == tokenizer_.special_ids().mask) places.push_back({i, {}});
  }
  if (places.empty()) {
    throw input_error(concat("the text has no mask; write ",
                             tokenizer_.token_text(tokenizer_.special_ids().mask),
                             " where a word is wanted"));
  }
  const size_t channels = static_cast<size_t>(config.hidden_size);
  const auto deliver = [&](const SequenceVectors& hidden) {
    for (MaskedPlace& place : places) {
      place.guesses = guess(hidden.values.subspan(place.position * channels, channels), count);
    }
  };
  session_.compute({&sequence, 1}, {Pooling::kNone, false}, deliver, go_on);
  return places;
}

std::vector<WordGuess> MaskFiller::guess(std::span<const float> hidden, size_t count) const {
  const MlmHead& head = *session_.model().mlm_head;
  std::vector<float> logits(head.words());
  head.apply(hidden, logits);
  // Rows that fill up the table are no words.
  logits.resize(std::min(logits.size(), static_cast<size_t>(tokenizer_.vocab_size())));
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - largest);

  std::vector<int32_t> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0);
  count = std::min(count, ids.size());
  const auto better = [&](int32_t a, int32_t b) {
    const float left = logits[static_cast<size_t>(a)], right = logits[static_cast<size_t>(b)];
    return left != right ? left > right : a < b;
  };
  std::partial_sort(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(count), ids.end(),
                    better);
  std::vector<WordGuess> guesses;
  for (size_t i = 0; i < count; ++i) {
    const double logit = logits[static_cast<size_t>(ids[i])];
    guesses.push_back({ids[i], std::exp(logit - largest) / sum});
  }
  return guesses;
}

}  // namespace m2
