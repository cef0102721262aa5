// M2-BERT: Monarch Mixer in place of attention, block-diagonal MLPs, post-norm.
#pragma once

#include <vector>

#include "layers/dimension_mixer.h"
#include "layers/embedding_table.h"
#include "layers/sequence_mixer.h"
#include "models/encoder.h"

namespace m2 {

class M2Bert final : public Encoder {
 public:
  explicit M2Bert(const Weights& weights);

  const ModelConfig& config() const override { return config_; }
  void forward(std::span<const TokenSpan> texts, const RowTiles& rows, int layers,
               WantedRows wanted, ForwardContext& context, Activations& hidden) const override;

  struct Layer {
    SequenceMixer sequence_mixer;
    DimensionMixer dimension_mixer;
  };
  const std::vector<Layer>& layers() const { return layers_; }

 private:
  void mix(size_t layer, const RowTiles& rows, WantedRows wanted, ForwardContext& context,
           Activations& hidden) const;

  ModelConfig config_;
  size_t blocks_, row_stride_;
  EmbeddingTable embeddings_;
  std::vector<Layer> layers_;
};

}  // namespace m2
