#include "train/models/model_folder.h"

#include <filesystem>

#include "checkpoint/new_file.h"
#include "checkpoint/safetensors.h"
#include "config/load_config.h"
#include "core/error.h"
#include "core/mapped_file.h"
#include "core/text.h"

namespace m2::train {
namespace {

namespace fs = std::filesystem;

void write_weights(const ParameterSet& parameters, const std::string& path) {
  std::vector<at::Tensor> values;
  std::vector<NamedTensor> tensors;
  for (const ParameterTensor& parameter : parameters.all()) {
    values.push_back(parameter.values.detach().to(at::kFloat));
    tensors.push_back({parameter.description.name, view_of(values.back())});
  }
  write_safetensors(path, tensors, {{"format", "pt"}});
}

// The configuration as a file that need not be guessed about.
ModelConfig stated(const Model& model) {
  ModelConfig config = model.config();
  config.padding_stated = true;
  if (!config.pooling_stated && !model.parameters().has("bert.pooler.dense.weight")) {
    config.pooling = config.use_cls_token ? Pooling::kCls : Pooling::kMean;
    config.pooling_stated = true;
  }
  return config;
}

}  // namespace

void save_model_folder(const Model& model, const std::string& folder,
                       const std::vector<std::string>& vocabulary_files) {
  std::error_code problem;
  fs::create_directories(folder, problem);
  if (problem) throw failed_error(concat(folder, ": cannot be made: ", problem.message()));
  write_weights(model.parameters(), fs::path(folder) / "model.safetensors");
  for (const std::string& file : vocabulary_files) {
    write_new_file((fs::path(folder) / fs::path(file).filename()).string(),
                   MappedFile(file).bytes());
  }
  write_new_file((fs::path(folder) / "config.json").string(), to_json(stated(model)));
}

}  // namespace m2::train
