#include "train/loop/evaluation.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/text.h"
#include "train/loop/micro_batch.h"
#include "train/loop/stop_request.h"

namespace m2::train {

double EvaluationResult::perplexity() const {
  return std::exp(loss);
}

void require_labels(const SampleBatches& batches, int64_t samples) {
  for (int64_t i = 0; i < samples; ++i) {
    if (batches.read_samples(0, i, 1).labelled > 0) return;
  }
  throw input_error(concat("eval_loader: its masks leave no token to tell in ", samples,
                           " samples; give it more text or a larger mlm_probability"));
}

std::optional<EvaluationResult> evaluate(const Model& model, const SampleBatches& batches,
                                         const EvaluationOptions& options) {
  const at::NoGradGuard no_gradients;
  Pass pass;
  pass.bf16 = options.bf16;
  const int64_t samples = options.samples;
  EvaluationResult result;
  double sum = 0, correct = 0;
  for (int64_t first = 0; first < samples; first += options.rows) {
    if (stop_signal() != 0) return std::nullopt;
    const m2::Batch batch = batches.read_samples(0, first, std::min(options.rows, samples - first));
    const MaskedLoss loss = model.masked_language_model_loss(rows_of(batch, 0, batch.rows), pass,
                                                             /*count_correct=*/true);
    sum += loss.sum.item<double>();
    correct += static_cast<double>(loss.correct);
    result.labelled += loss.labelled;
  }
  result.loss = sum / static_cast<double>(result.labelled);
  result.accuracy = correct / static_cast<double>(result.labelled);
  return result;
}

}  // namespace m2::train
