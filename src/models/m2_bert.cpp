#include "models/m2_bert.h"

#include <string>

#include "core/error.h"
#include "core/text.h"
#include "kernels/layout.h"

namespace m2 {

M2Bert::M2Bert(const Weights& weights)
    : config_(weights.config()),
      blocks_(channel_blocks(static_cast<size_t>(config_.hidden_size))),
      row_stride_(DimensionMixer::row_stride(config_)),
      embeddings_(weights) {
  for (int64_t i = 0; i < config_.num_hidden_layers; ++i) {
    const std::string prefix = concat("bert.encoder.layer.", i);
    layers_.push_back({SequenceMixer(weights, prefix + ".attention", row_stride_),
                       DimensionMixer(weights, prefix)});
  }
}

void M2Bert::mix(size_t layer, const RowTiles& rows, WantedRows wanted, ForwardContext& context,
                 Activations& hidden) const {
  const SequenceMixer& sequence_mixer = layers_[layer].sequence_mixer;
  const DimensionMixer& dimension_mixer = layers_[layer].dimension_mixer;
  Workspace& workspace = context.workspace;
  sequence_mixer.project_input(rows, hidden, wanted, context.executor, workspace);
  if (wanted == WantedRows::kFirst) {
    sequence_mixer.convolve_first(rows, hidden, layer, context.spectra, context.executor,
                                  workspace);
  } else {
    sequence_mixer.convolve(rows, hidden, layer, context.spectra, context.executor, workspace);
  }
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
    sequence_mixer.project_output(rows, tiles, scratch, workspace.projections, x);
    dimension_mixer.apply(tiles, x, scratch);
    for (size_t i = 0; i < tiles.size(); ++i) {
      hidden.scatter(rows.texts()[tiles[i].text], tiles[i], 0, blocks_, x + i * tile_floats,
                     row_stride_);
    }
    scratch.clock.lap(Phase::kMoves);
  });
}

void M2Bert::forward(std::span<const TokenSpan> texts, const RowTiles& rows, int layers,
                     WantedRows wanted, ForwardContext& context, Activations& hidden) const {
  M2_CHECK(texts.size() == rows.texts().size());
  M2_CHECK(layers >= 0 && static_cast<size_t>(layers) <= layers_.size());
  context.workspace.workers.resize(static_cast<size_t>(context.executor.workers()));
  embeddings_.embed(texts, rows, context.executor, context.workspace, hidden);
  for (int layer = 0; layer < layers; ++layer) {
    if (context.on_layer) context.on_layer(layer);
    mix(static_cast<size_t>(layer), rows, layer + 1 == layers ? wanted : WantedRows::kAll, context,
        hidden);
  }
}

}  // namespace m2
