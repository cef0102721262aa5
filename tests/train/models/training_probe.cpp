// training_probe FOLDER OUT: trains the model in FOLDER on its batches, for tests in Python.
//
// FOLDER holds config.json, weights, vocab.txt, input_ids.npy, labels.npy, attention_mask.npy, all
// (steps, B, L), and plan.json: {"lr", "beta1", "beta2", "eps", "weight_decay", "decoupled"}. OUT
// gets first.safetensors (hidden states, logits at the labelled positions and gradients of the
// first batch), losses.json, last.safetensors (the first batch's hidden states and logits at last)
// and model/, the trained model's folder.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "checkpoint/json.h"
#include "checkpoint/safetensors.h"
#include "config/load_config.h"
#include "train/models/model_folder.h"
#include "train/models/training_fixture.h"
#include "train/optimizers/adamw.h"

namespace {

using namespace m2;
using namespace m2::train;

OptimizerConfig read_plan(const std::string& path) {
  const nlohmann::json plan = read_json_object(path);
  OptimizerConfig config;
  config.lr = plan.at("lr");
  config.beta1 = plan.at("beta1");
  config.beta2 = plan.at("beta2");
  config.eps = plan.at("eps");
  config.weight_decay = plan.at("weight_decay");
  config.kind = plan.at("decoupled") ? OptimizerKind::kDecoupledAdamW : OptimizerKind::kAdamW;
  return config;
}

void write_tensors(const std::string& path, const std::map<std::string, at::Tensor>& tensors) {
  std::vector<NamedTensor> named;
  std::vector<at::Tensor> kept;
  for (const auto& [name, values] : tensors) {
    kept.push_back(values.detach().contiguous());
    named.push_back({name, view_of(kept.back())});
  }
  write_safetensors(path, named);
}

std::map<std::string, at::Tensor> outputs(const Model& model, const Batch& batch) {
  const at::NoGradGuard no_graph;
  return {{"hidden", model.encode(batch, {})}, {"logits", model.label_logits(batch, {})}};
}

void run(const std::string& folder, const std::string& out) {
  const ModelConfig config = load_model_config(folder + "/config.json");
  const Checkpoint checkpoint = open_checkpoint(folder);
  ModelOptions options;
  options.scope = {.pooler = false, .mlm_head = true};
  Model model(config, options);
  model.parameters().load(*checkpoint.tensors, folder);
  AdamW optimizer(model.parameters(), config, read_plan(folder + "/plan.json"));
  const at::Tensor ids = read_npy(folder + "/input_ids.npy");
  const at::Tensor labels = read_npy(folder + "/labels.npy");
  const at::Tensor masks = read_npy(folder + "/attention_mask.npy");
  const auto batch_of = [&](int64_t step) {
    Batch batch;
    batch.ids = ids[step];
    batch.labels = labels[step];
    batch.mask = masks[step];
    return batch;
  };
  nlohmann::json losses = nlohmann::json::array();
  for (int64_t step = 0; step < ids.size(0); ++step) {
    double loss = 0;
    auto found = gradients_of(model, batch_of(step), {}, &loss);
    losses.push_back(loss);
    if (step == 0) {
      found.merge(outputs(model, batch_of(0)));
      write_tensors(out + "/first.safetensors", found);
    }
    optimizer.step(1);
  }
  std::ofstream(out + "/losses.json") << losses;
  write_tensors(out + "/last.safetensors", outputs(model, batch_of(0)));
  save_model_folder(model, out + "/model", {folder + "/vocab.txt"});
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  try {
    run(argv[1], argv[2]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
