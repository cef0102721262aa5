#include "train/models/training_fixture.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "checkpoint/npy.h"
#include "core/error.h"
#include "core/random.h"

namespace m2::train {

namespace fs = std::filesystem;

double relative_error(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor wide_a = a.detach().to(at::kDouble), wide_b = b.detach().to(at::kDouble);
  const double size = wide_b.norm().item<double>();
  return (wide_a - wide_b).norm().item<double>() / (size > 0 ? size : 1);
}

at::Tensor tensor_of(const TensorView& view) {
  const at::ScalarType type = view.dtype == DType::kF32   ? at::kFloat
                              : view.dtype == DType::kF64 ? at::kDouble
                                                          : at::kLong;
  M2_CHECK(type != at::kLong || view.dtype == DType::kI64);
  const at::Tensor tensor = at::empty(view.shape, type);
  std::memcpy(tensor.data_ptr(), view.data, view.bytes());
  return tensor;
}

at::Tensor read_npy(const std::string& path) {
  return tensor_of(NpyFile(path).tensor());
}

ModelConfig small_config(Family family) {
  ModelConfig config;
  config.family = family;
  config.hidden_size = 36;
  config.intermediate_size = 50;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 6;
  config.vocab_size = 61;
  config.max_position_embeddings = 24;
  config.long_conv_l_max = 24;
  config.hyena_w = 10;
  config.hyena_w_mod = 1;
  config.hyena_emb_dim = 5;
  config.hyena_filter_order = 12;
  config.num_labels = 3;
  config.hidden_dropout_prob = 0;
  config.classifier_dropout = 0;
  config.residual_long_conv = true;
  config.use_monarch_mlp = family == Family::kM2Bert;
  config.use_glu_mlp = family != Family::kBert;
  config.use_positional_encodings = family != Family::kMosaicBert;
  config.padding = default_padding(family);
  config.source = "small_config";
  return config;
}

std::unique_ptr<Model> spread_model(const ModelConfig& config, at::ScalarType type,
                                    bool freeze_pad_row) {
  ModelOptions options;
  options.scope = {true, true, true};
  options.type = type;
  options.seed = 11;
  options.freeze_pad_row = freeze_pad_row;
  auto model = std::make_unique<Model>(config, options);
  for (const ParameterTensor& parameter : model->parameters().all()) {
    if (!parameter.description.trainable) continue;
    Random random(5, parameter.description.name);
    at::Tensor noise = at::empty(parameter.values.sizes(), at::kDouble);
    double* values = noise.data_ptr<double>();
    for (int64_t i = 0; i < noise.numel(); ++i) values[i] = 0.3 * random.normal();
    parameter.values.data().add_(noise.to(type));
  }
  return model;
}

Batch random_batch(const ModelConfig& config, const std::vector<int64_t>& lengths, int64_t length,
                   uint64_t seed) {
  const int64_t texts = static_cast<int64_t>(lengths.size());
  Batch batch;
  batch.ids = at::zeros({texts, length}, at::kLong);
  batch.types = at::zeros({texts, length}, at::kLong);
  batch.mask = at::zeros({texts, length}, at::kLong);
  batch.labels = at::full({texts, length}, -100, at::kLong);
  Random random(seed, "batch");
  const auto word = [&] {
    return 1 + static_cast<int64_t>(random.bits() % static_cast<uint64_t>(config.vocab_size - 1));
  };
  for (int64_t text = 0; text < texts; ++text) {
    for (int64_t t = 0; t < lengths[static_cast<size_t>(text)]; ++t) {
      batch.ids.index_put_({at::tensor(text), at::tensor(t)}, at::tensor(word()));
      batch.types.index_put_({at::tensor(text), at::tensor(t)}, at::tensor(t % 2));
      batch.mask.index_put_({at::tensor(text), at::tensor(t)}, at::tensor(int64_t{1}));
      if (t > 0 && random.uniform() < 0.35) {
        batch.labels.index_put_({at::tensor(text), at::tensor(t)}, at::tensor(word()));
      }
    }
  }
  return batch;
}

Batch part_of(const Batch& batch, int64_t first, int64_t count) {
  Batch part;
  part.ids = batch.ids.narrow(0, first, count);
  part.types = batch.types.narrow(0, first, count);
  part.mask = batch.mask.narrow(0, first, count);
  part.labels = batch.labels.narrow(0, first, count);
  part.first_text = batch.first_text + first;
  return part;
}

std::map<std::string, at::Tensor> gradients(const Model& model) {
  std::map<std::string, at::Tensor> result;
  for (const ParameterTensor& parameter : model.parameters().trained()) {
    const at::Tensor& gradient = parameter.values.grad();
    if (gradient.defined()) result[parameter.description.name] = gradient.clone();
  }
  return result;
}

std::map<std::string, at::Tensor> gradients_of(Model& model, const Batch& batch, const Pass& pass,
                                               double* loss) {
  model.parameters().clear_gradients();
  const MaskedLoss sum = model.masked_language_model_loss(batch, pass);
  const at::Tensor mean = sum.sum / static_cast<double>(sum.labelled);
  mean.backward();
  if (loss != nullptr) *loss = mean.item<double>();
  return gradients(model);
}

std::vector<std::string> shared_goldens(const std::string& ending) {
  std::vector<std::string> folders;
  const fs::path root = fs::path(M2_SOURCE_DIR) / "../shared/golden";
  if (!fs::is_directory(root)) return folders;
  for (const auto& entry : fs::directory_iterator(root)) {
    if (entry.path().string().ends_with(ending)) folders.push_back(entry.path().string());
  }
  std::sort(folders.begin(), folders.end());
  return folders;
}

}  // namespace m2::train
