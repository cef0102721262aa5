#include "models/attention_bert.h"

#include <algorithm>
#include <string>

#include "core/error.h"
#include "core/text.h"
#include "kernels/layout.h"

namespace m2 {

AttentionBert::AttentionBert(const Weights& weights)
    : config_(weights.config()),
      blocks_(channel_blocks(static_cast<size_t>(config_.hidden_size))),
      row_stride_(DimensionMixer::row_stride(config_)),
      embeddings_(weights) {
  for (int64_t i = 0; i < config_.num_hidden_layers; ++i) {
    const std::string prefix = concat("bert.encoder.layer.", i);
    layers_.push_back(
        {Attention(weights, prefix + ".attention", row_stride_), DimensionMixer(weights, prefix)});
  }
}

void AttentionBert::mix(const Layer& layer, const RowTiles& rows, WantedRows wanted,
                        ForwardContext& context, Activations& hidden) const {
  Workspace& workspace = context.workspace;
  layer.attention.project_input(rows, hidden, wanted, context.executor, workspace);
  layer.attention.attend(rows, wanted, context.executor, workspace);
  // The rest is a chain of its own for each group of tiles: what is between stays in the cache.
  const std::vector<Tile> firsts = rows.first_tiles();
  const auto groups = group_tiles(wanted == WantedRows::kFirst ? firsts : rows.tiles(),
                                  static_cast<size_t>(context.executor.workers()));
  context.executor.parallel_for(groups.size(), [&](size_t index, int worker) {
    const std::span<const Tile> tiles = groups[index];
    WorkerScratch& scratch = workspace.workers[static_cast<size_t>(worker)];
    const size_t tile_floats = kTileRows * row_stride_;
    float* x = room(scratch.output, kGroupTiles * tile_floats);
    scratch.clock.start();
    layer.attention.project_output(rows, tiles, hidden, workspace.projections, scratch, x);
    layer.dimension_mixer.apply(tiles, x, scratch);
    for (size_t i = 0; i < tiles.size(); ++i) {
      hidden.scatter(rows.texts()[tiles[i].text], tiles[i], 0, blocks_, x + i * tile_floats,
                     row_stride_);
    }
    scratch.clock.lap(Phase::kMoves);
  });
}

void AttentionBert::clear_masked_rows(std::span<const TokenSpan> texts, const RowTiles& rows,
                                      Activations& hidden) const {
  for (size_t i = 0; i < texts.size(); ++i) {
    for (size_t row = 0; row < texts[i].mask.size(); ++row) {
      if (texts[i].mask[row] != 0) continue;
      for (size_t block = 0; block < blocks_; ++block) {
        std::fill_n(hidden.block(rows.texts()[i], block) + row * kChannelBlock, kChannelBlock,
                    0.0f);
      }
    }
  }
}

void AttentionBert::forward(std::span<const TokenSpan> texts, const RowTiles& rows, int layers,
                            WantedRows wanted, ForwardContext& context, Activations& hidden) const {
  M2_CHECK(texts.size() == rows.texts().size());
  M2_CHECK(layers >= 0 && static_cast<size_t>(layers) <= layers_.size());
  context.workspace.workers.resize(static_cast<size_t>(context.executor.workers()));
  embeddings_.embed(texts, rows, context.executor, context.workspace, hidden);
  make_key_bias(texts, rows, context.workspace);
  for (int layer = 0; layer < layers; ++layer) {
    if (context.on_layer) context.on_layer(layer);
    mix(layers_[static_cast<size_t>(layer)], rows, layer + 1 == layers ? wanted : WantedRows::kAll,
        context, hidden);
  }
  if (layers > 0 && config_.family == Family::kMosaicBert) clear_masked_rows(texts, rows, hidden);
}

}  // namespace m2
