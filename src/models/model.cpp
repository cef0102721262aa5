#include "models/model.h"

#include <utility>

#include "config/load_config.h"
#include "core/error.h"
#include "core/log.h"
#include "core/text.h"
#include "hub/hub_cache.h"

namespace m2 {

ModelDescription describe_model(const ModelFiles& asked) {
  ModelFiles files = asked;
  files.path = find_model(asked.path);
  Checkpoint checkpoint = open_checkpoint(files.path);
  const std::string config_path =
      files.config_path.empty() ? find_config(files.path) : files.config_path;
  ModelDescription description;
  description.config = load_model_config(config_path);
  if (files.padding && *files.padding != description.config.padding) {
    log_warning(concat("the model's padding contract is ", padding_name(description.config.padding),
                       "; computing with ", padding_name(*files.padding),
                       " as asked gives other vectors than its training saw"));
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
  const Weights weights(description.config, description.tensors);
  auto model = std::make_shared<Model>();
  model->config = description.config;
  model->folder = description.folder;
  model->encoder = make_encoder(weights);
  model->pooler = Pooler::load(weights);
  model->classifier = Classifier::load(weights);
  if (!model->pooler && model->config.pooling == Pooling::kPooler) {
    log_warning(concat(files.path, ": holds no pooler; the masked mean is the vector instead"));
    model->config.pooling = Pooling::kMean;
  }
  return model;
}

}  // namespace m2
