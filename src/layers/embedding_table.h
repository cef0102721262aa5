// Token ids to the first hidden states.
//
//   LN(word[id] + token_type[type] + position[0 … length−1]); positions only where the model has
//   them
#pragma once

#include <cstdint>
#include <span>

#include "core/threads.h"
#include "layers/weights.h"
#include "layers/workspace.h"
#include "ops/norm.h"
#include "ops/row_tiles.h"

namespace m2 {

// One text as the model sees it. All three have the same length, at least 1 and at most the
// model's; the mask is 1 where a token counts.
struct TokenSpan {
  std::span<const int32_t> ids, types, mask;
};

class EmbeddingTable {
 public:
  explicit EmbeddingTable(const Weights& weights);

  // The first hidden states of the texts that `rows` was made from. ids and types are below the
  // tables' sizes; workspace.workers are as many as the executor's.
  void embed(std::span<const TokenSpan> texts, const RowTiles& rows, Executor& executor,
             Workspace& workspace, Activations& hidden) const;

 private:
  // One tile: rows [first, first + ids.size()) of a text; the tile's other rows become LN(0).
  // `out` has `rows` rows of `stride` floats.
  void embed_tile(std::span<const int32_t> ids, std::span<const int32_t> types, size_t first,
                  size_t rows, size_t stride, float* out) const;

  size_t channels_;
  FloatTensor word_, type_, position_;
  bool has_positions_;
  Norm norm_;
};

}  // namespace m2
