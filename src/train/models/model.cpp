#include "train/models/model.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/tanh.h>

#include "core/error.h"
#include "train/models/dropout.h"
#include "train/models/encoder.h"
#include "train/models/heads.h"

namespace m2::train {
namespace {

const ModelConfig& validated(const ModelConfig& config) {
  validate(config);
  return config;
}

// Labelled positions of flattened (B·L) rows, int64 (N).
at::Tensor labelled_rows(const Batch& batch) {
  M2_CHECK(batch.labels.defined() && batch.labels.sizes() == batch.ids.sizes());
  return batch.labels.reshape({-1}).gt(0).nonzero().squeeze(1);
}

}  // namespace

struct Model::Parts {
  Encoder encoder;
  std::optional<MlmHead> mlm_head;
  std::optional<Linear> pooler, classifier;
};

Model::Model(const ModelConfig& config, const ModelOptions& options)
    : config_(validated(config)),
      parameters_(config, options.scope, options.seed, options.type),
      parts_(std::make_unique<Parts>(Parts{Encoder(parameters_, config, options.freeze_pad_row),
                                           std::nullopt, std::nullopt, std::nullopt})) {
  if (options.scope.mlm_head) parts_->mlm_head.emplace(parameters_, config);
  if (options.scope.pooler) parts_->pooler.emplace(parameters_, "bert.pooler.dense");
  if (options.scope.classifier) parts_->classifier.emplace(parameters_, "classifier");
}

Model::~Model() = default;

at::Tensor Model::encode(const Batch& batch, const Pass& pass) const {
  return parts_->encoder.apply(batch, pass);
}

MaskedLoss Model::masked_language_model_loss(const Batch& batch, const Pass& pass,
                                             bool count_correct) const {
  M2_CHECK(parts_->mlm_head.has_value());
  const at::Tensor rows = labelled_rows(batch);
  const at::Tensor x = encode(batch, pass).flatten(0, 1).index_select(0, rows);
  const at::Tensor labels = batch.labels.reshape({-1}).index_select(0, rows);
  const CrossEntropy loss = parts_->mlm_head->loss(x, labels, pass, count_correct);
  return {loss.sum, rows.size(0), loss.correct};
}

at::Tensor Model::label_logits(const Batch& batch, const Pass& pass) const {
  M2_CHECK(parts_->mlm_head.has_value());
  const at::Tensor x = encode(batch, pass).flatten(0, 1);
  return parts_->mlm_head->logits(x.index_select(0, labelled_rows(batch)), pass);
}

at::Tensor Model::pool(const at::Tensor& hidden, const Batch& batch) const {
  at::Tensor x = hidden.select(1, 0);
  const bool mean = !config_.use_cls_token && (config_.pool_all || !parts_->pooler);
  if (mean && batch.mask.defined()) {
    const at::Tensor mask = batch.mask.unsqueeze(2).to(hidden.scalar_type());
    x = (hidden * mask).sum(1) / mask.sum(1);
  } else if (mean) {
    x = hidden.mean(1);
  }
  if (parts_->pooler && !config_.use_cls_token) x = at::tanh(parts_->pooler->apply(x));
  if (!config_.use_normalized_embeddings) return x;
  return x / at::linalg_vector_norm(x, 2, at::IntArrayRef{1}, /*keepdim=*/true);
}

at::Tensor Model::class_logits(const Batch& batch, const Pass& pass) const {
  M2_CHECK(parts_->classifier.has_value());
  LayerInput input;
  input.pass = pass;
  input.layer = -1;
  input.first_text = batch.first_text;
  const at::Tensor pooled = dropout(pool(encode(batch, pass), batch), config_.classifier_dropout,
                                    DropoutPlace::kClassifier, input);
  return parts_->classifier->apply(pooled);
}

}  // namespace m2::train
