// BERT with attention, post-norm: MosaicBERT (ALiBi, one Wqkv, a gated or Monarch MLP) and BERT as
// transformers has it.
#pragma once

#include <vector>

#include "layers/attention.h"
#include "layers/dimension_mixer.h"
#include "layers/embedding_table.h"
#include "models/encoder.h"

namespace m2 {

class AttentionBert final : public Encoder {
 public:
  explicit AttentionBert(const Weights& weights);

  const ModelConfig& config() const override { return config_; }
  // MosaicBERT's rows where the mask is 0 come back as zeros, as published, but for those of the
  // embedding layer alone.
  void forward(std::span<const TokenSpan> texts, const RowTiles& rows, int layers,
               WantedRows wanted, ForwardContext& context, Activations& hidden) const override;

 private:
  struct Layer {
    Attention attention;
    DimensionMixer dimension_mixer;
  };
  void mix(const Layer& layer, const RowTiles& rows, WantedRows wanted, ForwardContext& context,
           Activations& hidden) const;
  void clear_masked_rows(std::span<const TokenSpan> texts, const RowTiles& rows,
                         Activations& hidden) const;

  ModelConfig config_;
  size_t blocks_, row_stride_;
  EmbeddingTable embeddings_;
  std::vector<Layer> layers_;
};

}  // namespace m2
