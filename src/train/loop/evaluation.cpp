#include "train/loop/evaluation.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>

#include "train/loop/micro_batch.h"
#include "train/loop/stop_request.h"

namespace m2::train {

double EvaluationResult::perplexity() const {
  return std::exp(loss);
}

std::optional<EvaluationResult> evaluate(const Model& model, const SampleBatches& batches,
                                         const EvaluationOptions& options) {
  const at::NoGradGuard no_gradients;
  Pass pass;
  pass.bf16 = options.bf16;
  const int64_t all = batches.epoch_samples();
  const int64_t samples = options.samples < 0 ? all : std::min(options.samples, all);
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
