#include "train/models/embedding_table.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/embedding.h>

#include "train/models/dropout.h"

namespace m2::train {
namespace {

constexpr int64_t kPadRow = 0;
const char kPositions[] = "bert.embeddings.position_embeddings.weight";

}  // namespace

EmbeddingTable::EmbeddingTable(const ParameterSet& parameters, const ModelConfig& config,
                               bool freeze_pad_row)
    : word_(parameters.get("bert.embeddings.word_embeddings.weight")),
      type_(parameters.get("bert.embeddings.token_type_embeddings.weight")),
      norm_(parameters, "bert.embeddings.LayerNorm", config.layer_norm_eps),
      dropout_(config.hidden_dropout_prob),
      frozen_row_(freeze_pad_row ? kPadRow : -1) {
  if (config.use_positional_encodings) position_ = parameters.get(kPositions);
}

at::Tensor EmbeddingTable::apply(const Batch& batch, const LayerInput& input) const {
  at::Tensor sum = at::embedding(word_, batch.ids, frozen_row_);
  sum = sum + (batch.types.defined() ? at::embedding(type_, batch.types) : type_.select(0, 0));
  if (position_.defined()) sum = sum + position_.narrow(0, 0, batch.ids.size(1));
  return dropout(norm_.apply(sum), dropout_, DropoutPlace::kEmbeddings, input);
}

}  // namespace m2::train
