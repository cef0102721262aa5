// A training's state to disk and back.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "train/checkpoints/run_state.h"
#include "train/models/model.h"
#include "train/optimizers/adamw.h"

namespace m2::train {

// Writes a checkpoint's files into `folder`: those of a model folder, optimizer.safetensors and
// state.json. Error(kFailed) names what cannot be written.
void write_run_checkpoint(const std::filesystem::path& folder, const Model& model,
                          const AdamW& optimizer, const RunState& state,
                          const std::vector<std::string>& vocabulary_files);

// Takes over weights and moments of a checkpoint of the same architecture; gives its state. Error
// (kInput) in one line: another architecture, naming what differs, or a file that is no such one.
RunState read_run_checkpoint(const std::filesystem::path& folder, Model& model, AdamW& optimizer);

// Takes over the weights of a model folder, a checkpoint or a file of weights. Optional ones that
// it lacks keep their values. Errors as above.
void read_weights(const std::string& path, Model& model);

// The first few switches and sizes in which two models' parameters or their meaning differ,
// "hidden_size is 64 there and 32 here, …"; empty where none does.
std::string architecture_difference(const ModelConfig& there, const ModelConfig& here);

}  // namespace m2::train
