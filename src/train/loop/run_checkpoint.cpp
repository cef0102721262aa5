#include "train/loop/run_checkpoint.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <nlohmann/json.hpp>

#include "checkpoint/new_file.h"
#include "checkpoint/safetensors.h"
#include "config/load_config.h"
#include "core/error.h"
#include "core/text.h"
#include "train/checkpoints/checkpoint_store.h"
#include "train/models/model_folder.h"

namespace m2::train {
namespace {

namespace fs = std::filesystem;

void write_moments(const AdamW& optimizer, const fs::path& path) {
  std::vector<NamedTensor> tensors;
  for (const NamedState& state : optimizer.state()) {
    tensors.push_back({state.name, view_of(state.values)});
  }
  write_safetensors(path.string(), tensors);
}

void read_moments(const fs::path& path, AdamW& optimizer) {
  const SafetensorsFile file(path.string());
  for (const NamedState& state : optimizer.state()) {
    const TensorView* saved = file.find(state.name);
    if (saved == nullptr) {
      throw input_error(concat(path.string(), ": has no ", state.name,
                               "; parameter_groups and the model must be those of the checkpoint"));
    }
    const TensorView ours = view_of(state.values);
    if (saved->dtype != ours.dtype || saved->shape != ours.shape) {
      throw input_error(concat(path.string(), ": ", state.name, " is ", shape_text(saved->shape),
                               ", not ", shape_text(ours.shape)));
    }
    std::memcpy(state.values.data_ptr(), saved->data, saved->bytes());
  }
}

void check_architecture(const fs::path& folder, const ModelConfig& here) {
  const std::string path = (folder / "config.json").string();
  const std::string difference = architecture_difference(load_model_config(path), here);
  if (difference.empty()) return;
  throw input_error(
      concat(folder.string(), ": is of another model than ", here.source, ": ", difference));
}

}  // namespace

void write_run_checkpoint(const fs::path& folder, const Model& model, const AdamW& optimizer,
                          const RunState& state, const std::vector<std::string>& vocabulary_files) {
  save_model_folder(model, folder.string(), vocabulary_files);
  write_moments(optimizer, folder / kOptimizerFile);
  write_new_file((folder / kStateFile).string(), to_json(state));
}

RunState read_run_checkpoint(const fs::path& folder, Model& model, AdamW& optimizer) {
  check_architecture(folder, model.config());
  const RunState state = read_run_state((folder / kStateFile).string());
  const at::NoGradGuard no_gradients;
  const std::string weights = (folder / "model.safetensors").string();
  model.parameters().load(SafetensorsFile(weights), weights);
  read_moments(folder / kOptimizerFile, optimizer);
  optimizer.set_updates(state.step);
  return state;
}

void read_weights(const std::string& path, Model& model) {
  if (fs::exists(fs::path(path) / "config.json")) check_architecture(path, model.config());
  const at::NoGradGuard no_gradients;
  const Checkpoint checkpoint = open_checkpoint(path);
  model.parameters().load(*checkpoint.tensors, path);
}

std::string architecture_difference(const ModelConfig& there, const ModelConfig& here) {
  // Sizes and switches alone: dropout, initial values and rates are a training's.
  constexpr std::array kKeys = {"hidden_size",
                                "intermediate_size",
                                "num_hidden_layers",
                                "vocab_size",
                                "max_position_embeddings",
                                "type_vocab_size",
                                "use_glu_mlp",
                                "use_monarch_mlp",
                                "monarch_mlp_nblocks",
                                "use_positional_encodings",
                                "residual_long_conv",
                                "bidirectional",
                                "long_conv_l_max",
                                "hyena_w_mod",
                                "hyena_emb_dim",
                                "hyena_filter_order",
                                "hyena_training_additions",
                                "num_attention_heads",
                                "padding"};
  if (there.family != here.family) {
    return concat("it is ", family_name(there.family), " there and ", family_name(here.family),
                  " here");
  }
  const auto theirs = nlohmann::json::parse(m2::to_json(there));
  const auto ours = nlohmann::json::parse(m2::to_json(here));
  std::vector<std::string> parts;
  for (const std::string key : kKeys) {
    const auto a = theirs.value(key, nlohmann::json()), b = ours.value(key, nlohmann::json());
    if (a != b) parts.push_back(concat(key, " is ", a.dump(), " there and ", b.dump(), " here"));
  }
  constexpr size_t kShown = 3;
  parts.resize(std::min(parts.size(), kShown));
  return join(parts, ", ");
}

}  // namespace m2::train
