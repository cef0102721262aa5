#include "train/loop/trainer.h"

#include <ATen/ATen.h>

#include <cmath>

#include "train/loop/micro_batch.h"
#include "train/loop/resident_memory.h"
#include "train/optimizers/gradient_norm.h"

namespace m2::train {
namespace {

ModelOptions model_options(const TrainConfig& config) {
  ModelOptions options;
  options.scope.pooler = false;
  options.scope.mlm_head = true;
  options.seed = config.seed;
  options.freeze_pad_row = config.optimizer.freeze_pad_row;
  return options;
}

Pass pass_of(const TrainConfig& config, int64_t step) {
  Pass pass;
  pass.training = true;
  pass.seed = config.seed;
  pass.step = step;
  pass.bf16 = config.precision == TrainPrecision::kAmpBf16;
  pass.recompute = config.activation_checkpointing;
  return pass;
}

// Texts of full length but for a pad, whose mask takes memory, a third of whose tokens are asked
// for.
Batch trial_batch(int64_t rows, int64_t length) {
  Batch batch;
  batch.ids = at::ones({rows, length}, at::kLong);
  batch.labels = at::full({rows, length}, -100, at::kLong);
  batch.labels.slice(1, 0, length, 3).fill_(1);
  batch.mask = at::ones({rows, length}, at::kLong);
  if (length > 1) batch.mask.select(1, length - 1).fill_(0);
  return batch;
}

}  // namespace

Trainer::Trainer(const TrainConfig& config)
    : config_(config),
      model_(config.model, model_options(config)),
      optimizer_(model_.parameters(), config.model, config.optimizer) {}

bool Trainer::Gradient::finite() const {
  return std::isfinite(loss) && std::isfinite(norm);
}

int64_t Trainer::find_micro_batch() {
  const auto trial = [&](int64_t rows) {
    const Batch batch = trial_batch(rows, config_.max_seq_len);
    model_.masked_language_model_loss(batch, pass_of(config_, 0)).sum.backward();
  };
  const int64_t rows =
      largest_micro_batch(config_.global_train_batch_size, memory_ceiling(), trial);
  model_.parameters().clear_gradients();
  return rows;
}

std::optional<Trainer::Gradient> Trainer::accumulate(const m2::Batch& batch, int64_t step) {
  const auto loss = accumulate_gradients(model_, batch, micro_batch_, pass_of(config_, step));
  if (!loss) {
    model_.parameters().clear_gradients();
    return std::nullopt;
  }
  return Gradient{*loss, gradient_norm(model_.parameters().trained())};
}

void Trainer::update(const Gradient& gradient, double lr_factor) {
  const double clipping =
      config_.clip_norm ? clipping_factor(gradient.norm, *config_.clip_norm) : 1;
  optimizer_.step(lr_factor, clipping);
  model_.parameters().clear_gradients();
}

}  // namespace m2::train
