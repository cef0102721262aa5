// Token ids to the first hidden states.
//
//   LN(word[id] + token_type[type] + position[0 … length−1]); positions only where the model has
//   them
#pragma once

#include <cstdint>
#include <span>

#include "layers/weights.h"
#include "ops/norm.h"

namespace m2 {

class EmbeddingTable {
 public:
  explicit EmbeddingTable(const Weights& weights);

  // One tile: rows [first, first + ids.size()) of a text; the tile's other rows become LN(0).
  // `out` has `rows` rows of `stride` floats. ids and types are below the tables' sizes.
  void embed_tile(std::span<const int32_t> ids, std::span<const int32_t> types, size_t first,
                  size_t rows, size_t stride, float* out) const;

 private:
  size_t channels_;
  FloatTensor word_, type_, position_;
  bool has_positions_;
  Norm norm_;
};

}  // namespace m2
