// Self-attention with its residual and norm, as BERT and MosaicBERT have it.
//
//   q, k, v = heads of u·Wᵀ + b;  y = softmax(q·kᵀ/√(H/heads) − slope·|i − j|)·v
//   out = LN(y·Woutᵀ + b + u)
//
// slope is ALiBi's in MosaicBERT and 0 in BERT. Keys that the mask leaves out have no weight.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/threads.h"
#include "layers/embedding_table.h"
#include "layers/weights.h"
#include "layers/workspace.h"
#include "ops/linear.h"
#include "ops/norm.h"
#include "ops/row_tiles.h"

namespace m2 {

// ALiBi's slope for each head: 2^(−8i/n), i = 1…n, where their number n is a power of two; else
// those of the largest power of two m below n, then every other one of 2m's from its first on.
std::vector<float> alibi_slopes(size_t heads);

// For each padded row of the batch 0 where the mask is 1, else kMaskedKey, in workspace.key_bias.
void make_key_bias(std::span<const TokenSpan> texts, const RowTiles& rows, Workspace& workspace);

class Attention {
 public:
  // `prefix` is "bert.encoder.layer.0.attention" or the like; `output_stride` the floats between
  // rows of the tile that project_output() writes.
  Attention(const Weights& weights, const std::string& prefix, size_t output_stride);

  // u -> q, k and v of every head in workspace.projections. For a text's first row q is made of its
  // first tile alone.
  void project_input(const RowTiles& rows, const Activations& u, WantedRows wanted,
                     Executor& executor, Workspace& workspace) const;
  // y, in q's place. workspace.key_bias is made. For a text's first row only its first kTileStep
  // are made.
  void attend(const RowTiles& rows, WantedRows wanted, Executor& executor,
              Workspace& workspace) const;
  // A group of tiles of y to the layer's output, tile i at output + i·kTileRows·output_stride;
  // channels beyond H are zero.
  void project_output(const RowTiles& rows, std::span<const Tile> tiles, const Activations& u,
                      const Activations& projections, WorkerScratch& scratch, float* output) const;

 private:
  void project_panel(size_t panel, const TextRows& text, const Tile& tile, const Operand& u,
                     WorkerScratch& scratch, Activations& projections) const;

  size_t heads_, head_blocks_;
  size_t blocks_, stride_;      // of a hidden state
  size_t y_blocks_, y_stride_;  // of all heads, each filled up to whole channel blocks
  float scale_;
  std::vector<float> slopes_;
  Linear input_, output_;
  Norm norm_;
};

}  // namespace m2
