// How well a model tells masked words of texts that it was not trained on.
#pragma once

#include <optional>

#include "train/loop/sample_batches.h"
#include "train/models/model.h"

namespace m2::train {

struct EvaluationResult {
  double loss = 0;      // mean cross-entropy over all labelled tokens, in nats
  double accuracy = 0;  // share of them whose word has the largest logit
  int64_t labelled = 0;

  double perplexity() const;
};

struct EvaluationOptions {
  int64_t samples = 0;  // the first of an epoch, at most all
  int64_t rows = 1;     // samples a forward pass
  bool bf16 = false;
};

// Error(kInput) where none of the first samples has a token to tell: there would be no mean.
void require_labels(const SampleBatches& batches, int64_t samples);

// Masks are the same each time. None where a stop was asked for meanwhile.
std::optional<EvaluationResult> evaluate(const Model& model, const SampleBatches& batches,
                                         const EvaluationOptions& options);

}  // namespace m2::train
