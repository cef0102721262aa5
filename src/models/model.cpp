#include "models/model.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "config/load_config.h"
#include "core/error.h"
#include "core/log.h"
#include "core/text.h"
#include "hub/hub_cache.h"

namespace m2 {
namespace {

namespace fs = std::filesystem;

int64_t shorter(int64_t longest, const SentenceLayout& layout) {
  return layout.max_seq_length > 0 ? std::min(longest, layout.max_seq_length) : longest;
}

// Reads the layout of the model that `path` names, if it has one, and returns where its
// transformer is: a folder or a file of weights.
std::string read_layout(const std::string& path, ModelDescription& description) {
  std::error_code ignored;
  const bool is_folder = fs::is_directory(path, ignored);
  const fs::path parent = fs::path(path).parent_path();
  description.layout_folder = is_folder ? path : parent.empty() ? "." : parent.string();
  const auto layout = read_sentence_layout(description.layout_folder);
  if (!layout) return path;
  description.layout = *layout;
  if (layout->transformer_folder.empty()) return path;
  if (!is_folder) {
    throw input_error(concat(path, ": the modules.json beside it puts the weights into ",
                             printable(layout->transformer_folder), "; name the folder instead"));
  }
  return (fs::path(path) / layout->transformer_folder).string();
}

void apply_layout(const SentenceLayout& layout, ModelConfig& config) {
  if (!layout.pooling) return;
  const auto refuse = [&](const std::string& why) {
    throw input_error(concat(config.source, ": ", why, "; only one of them can be right"));
  };
  if (layout.pooled_size != config.hidden_size) {
    refuse(concat("hidden_size is ", config.hidden_size, ", but the layout's Pooling takes ",
                  layout.pooled_size));
  }
  if (config.pooling_stated && config.pooling != *layout.pooling) {
    refuse(concat("pooling is ", pooling_name(config.pooling), ", but the layout's Pooling says ",
                  pooling_name(*layout.pooling)));
  }
  config.pooling = *layout.pooling;
  config.use_normalized_embeddings = config.use_normalized_embeddings || layout.normalise;
}

}  // namespace

int64_t ModelDescription::longest_text() const {
  return shorter(config.max_length(), layout);
}

int64_t Model::longest_text() const {
  return shorter(config.max_length(), layout);
}

size_t Model::vector_size() const {
  return dense.empty() ? static_cast<size_t>(config.hidden_size) : dense.back().out();
}

ModelDescription describe_model(const ModelFiles& asked) {
  ModelFiles files = asked;
  ModelDescription description;
  files.path = read_layout(find_model(asked.path), description);
  Checkpoint checkpoint = open_checkpoint(files.path);
  const std::string config_path =
      files.config_path.empty() ? find_config(files.path) : files.config_path;
  description.config = load_model_config(config_path);
  apply_layout(description.layout, description.config);
  if (files.padding && *files.padding != description.config.padding) {
    // Attention masks its pads: there the contract changes the work alone.
    if (description.config.family == Family::kM2Bert) {
      log_warning(concat("the model's padding contract is ",
                         padding_name(description.config.padding), "; computing with ",
                         padding_name(*files.padding),
                         " as asked gives other vectors than its training saw"));
    }
    description.config.padding = *files.padding;
  }
  description.tensors = std::move(checkpoint.tensors);
  description.folder = std::move(checkpoint.folder);
  description.files = std::move(checkpoint.files);
  for (const std::string& name : description.tensors->ignored()) {
    log_debug(concat(files.path, ": not read, a Python object of class ", printable(name)));
  }
  for (const std::string& key : description.config.ignored_keys) {
    log_debug(concat(config_path, ": the key ", printable(key), " is not used"));
  }
  return description;
}

std::shared_ptr<const Model> load_model(const ModelFiles& files) {
  const ModelDescription description = describe_model(files);
  const Weights weights(description.config, description.tensors, files.dtype);
  auto model = std::make_shared<Model>();
  model->dtype = weights.products();
  model->config = description.config;
  model->folder = description.folder;
  model->layout = description.layout;
  model->encoder = make_encoder(weights);
  model->pooler = Pooler::load(weights);
  model->classifier = Classifier::load(weights);
  for (const DenseDescription& dense : description.layout.dense) {
    const fs::path folder = fs::path(description.layout_folder) / dense.folder;
    model->dense.push_back(Dense::load(dense, folder.string()));
  }
  if (files.with_mlm_head) {
    model->mlm_head = MlmHead::load(weights);
    if (!model->mlm_head) {
      throw input_error(concat(files.path, ": holds no head of masked language modelling ",
                               "(cls.predictions); a checkpoint of pretraining has one"));
    }
  } else if (!model->pooler && model->config.pooling == Pooling::kPooler) {
    log_warning(concat(files.path, ": holds no pooler; the masked mean is the vector instead"));
    model->config.pooling = Pooling::kMean;
  }
  return model;
}

}  // namespace m2
