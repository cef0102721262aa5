// A model from token ids to hidden states.
#pragma once

#include <memory>
#include <vector>

#include "train/models/embedding_table.h"
#include "train/models/layer_input.h"

namespace m2::train {

// One layer, (B, L, H) to the same.
class Layer {
 public:
  virtual ~Layer() = default;
  virtual at::Tensor apply(const at::Tensor& x, const LayerInput& input) const = 0;
};

class Encoder {
 public:
  Encoder(const ParameterSet& parameters, const ModelConfig& config, bool freeze_pad_row);
  at::Tensor apply(const Batch& batch, const Pass& pass) const;

 private:
  struct Place {
    std::unique_ptr<Layer> layer;
    std::vector<at::Tensor> trained;
  };
  LayerInput make_input(const Batch& batch, const Pass& pass, at::ScalarType type) const;

  ModelConfig config_;
  EmbeddingTable embeddings_;
  std::vector<Place> layers_;
};

}  // namespace m2::train
