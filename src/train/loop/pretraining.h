// One pretraining by masked language modelling: from a configuration to a model folder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "train/config/train_config.h"
#include "train/loop/evaluation.h"

namespace m2::train {

struct PretrainingResult {
  int signal = 0;  // that ended it early, 0: all steps are done
  int64_t step = 0;
  std::optional<double> loss;                  // of the last step
  std::optional<EvaluationResult> evaluation;  // the last one
  std::filesystem::path saved;  // the model's folder, or the checkpoint after a signal
};

// Trains as configured on `threads` threads, which libtorch has been given. Steps' batches, masks
// and dropout depend on seed and step alone, so that a run that was stopped goes on to the same
// bits. Says on stderr from where it resumes.
//
// Error(kInput) for data, vocabularies and checkpoints that do not fit; Error(kFailed), after which
// every whole checkpoint is still there, when one cannot be written, or when the loss or gradient
// is no number (the state before that step is saved) or grows beyond config.divergence_margin.
PretrainingResult pretrain(const TrainConfig& config, int threads);

}  // namespace m2::train
