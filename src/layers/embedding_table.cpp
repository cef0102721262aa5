#include "layers/embedding_table.h"

#include <algorithm>

#include "core/error.h"
#include "kernels/layout.h"
#include "ops/gemm/matmul.h"

namespace m2 {
namespace {

const char kPosition[] = "bert.embeddings.position_embeddings.weight";

}  // namespace

EmbeddingTable::EmbeddingTable(const Weights& weights)
    : channels_(static_cast<size_t>(weights.config().hidden_size)),
      word_(weights.get("bert.embeddings.word_embeddings.weight")),
      type_(weights.get("bert.embeddings.token_type_embeddings.weight")),
      has_positions_(weights.config().use_positional_encodings),
      norm_(weights.get("bert.embeddings.LayerNorm.weight").values(),
            weights.get("bert.embeddings.LayerNorm.bias").values(),
            weights.config().layer_norm_eps) {
  if (has_positions_) position_ = weights.get(kPosition);
  // Looked up row by row: what the check for NaN has read need not stay.
  word_.release_pages();
  position_.release_pages();
}

void EmbeddingTable::embed(std::span<const TokenSpan> texts, const RowTiles& rows,
                           Executor& executor, Workspace& workspace, Activations& hidden) const {
  const size_t blocks = channel_blocks(channels_), stride = blocks * kChannelBlock;
  hidden.resize(rows, channels_);
  executor.parallel_for(rows.tiles().size(), [&](size_t index, int worker) {
    const Tile& tile = rows.tiles()[index];
    const TextRows& text = rows.texts()[tile.text];
    const size_t count = std::min(tile.rows, text.length - tile.row);
    WorkerScratch& scratch = workspace.workers[static_cast<size_t>(worker)];
    float* out = room(scratch.output, kTileRows * stride);
    scratch.clock.start();
    embed_tile(texts[tile.text].ids.subspan(tile.row, count),
               texts[tile.text].types.subspan(tile.row, count), tile.row, tile.rows, stride, out);
    hidden.scatter(text, tile, 0, blocks, out, stride);
    scratch.clock.lap(Phase::kEmbedding);
  });
}

void EmbeddingTable::embed_tile(std::span<const int32_t> ids, std::span<const int32_t> types,
                                size_t first, size_t rows, size_t stride, float* out) const {
  M2_CHECK(ids.size() == types.size() && ids.size() <= rows);
  std::fill(out, out + rows * stride, 0.0f);
  for (size_t row = 0; row < ids.size(); ++row) {
    const float* word = word_.data() + static_cast<size_t>(ids[row]) * channels_;
    const float* type = type_.data() + static_cast<size_t>(types[row]) * channels_;
    float* sum = out + row * stride;
    for (size_t c = 0; c < channels_; ++c) sum[c] = word[c] + type[c];
    if (!has_positions_) continue;
    const float* position = position_.data() + (first + row) * channels_;
    for (size_t c = 0; c < channels_; ++c) sum[c] += position[c];
  }
  norm_.apply(rows, stride, out, nullptr, out);
}

}  // namespace m2
