// A model, its optimizer and one optimiser step.
#pragma once

#include <cstdint>
#include <optional>

#include "data/batch.h"
#include "train/config/train_config.h"
#include "train/loop/run_plan.h"
#include "train/models/model.h"
#include "train/optimizers/adamw.h"

namespace m2::train {

class Trainer {
 public:
  explicit Trainer(const TrainConfig& config);

  Model& model() { return model_; }
  const Model& model() const { return model_; }
  AdamW& optimizer() { return optimizer_; }
  int64_t micro_batch() const { return micro_batch_; }
  void set_micro_batch(int64_t rows) { micro_batch_ = rows; }
  // Finds the largest micro-batch that fits by trial; changes no weight.
  int64_t find_micro_batch();

  struct Gradient {
    double loss = 0;  // mean over the batch's labelled tokens
    double norm = 0;  // of the gradient, before clipping
    bool finite() const;
  };
  // The gradient of the mean loss over the batch's labelled tokens, summed over micro-batches: each
  // adds its summed loss over the labelled count of the whole. `step` counts the steps done before,
  // and is what dropout's masks depend on. None where a stop was asked for meanwhile: the gradients
  // are gone then and the weights as they were.
  std::optional<Gradient> accumulate(const m2::Batch& batch, int64_t step);
  // Clips, updates the weights with `lr_factor` of the peak rate and takes the gradients away.
  void update(const Gradient& gradient, double lr_factor);

 private:
  const TrainConfig& config_;
  Model model_;
  AdamW optimizer_;
  int64_t micro_batch_ = 1;
};

}  // namespace m2::train
