// Where a training begins: new, with weights from elsewhere, or from a checkpoint.
#pragma once

#include <optional>
#include <string>

#include "train/checkpoints/checkpoint_store.h"
#include "train/checkpoints/run_state.h"
#include "train/config/train_config.h"
#include "train/loop/sample_batches.h"
#include "train/loop/trainer.h"

namespace m2::train {

struct Restored {
  RunState state;
  bool from_store = false;  // of the run itself, not of another
};

// Brings weights and moments to where config.save.autoresume and config.load_path say; the state
// that the training goes on from, or none where it begins at step 0. What differs from the
// checkpoint's configuration, data and surroundings is told in a warning; another vocabulary than
// the batches' is Error(kInput). Errors as read_run_checkpoint's.
std::optional<Restored> restore(const TrainConfig& config, const CheckpointStore& store,
                                const SampleBatches& batches, const Surroundings& surroundings,
                                Trainer& trainer);

// The settings, of those that a result depends on, in which two configurations (YAML as to_yaml
// writes it) differ: "optimizer.lr, seed"; empty where none does. Data are known by their identity,
// not by their places.
std::string settings_difference(const std::string& now, const std::string& saved);

}  // namespace m2::train
