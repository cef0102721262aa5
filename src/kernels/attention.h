// Softmax attention of one head, without a matrix of queries by keys: keys come in chunks, and each
// query keeps the maximum and the sum of its scores so far.
//
//   out[i] = Σ_j softmax_j(scale·q[i]·k[j] − slope·|i − j| + key_bias[j]) · v[j]
//
// Queries, values and the output lie in channel blocks (layout.h). Keys lie in the same blocks, but
// within every 16 rows transposed, [channel][row]: see scatter_tile_transposed in row_tile.h.
#pragma once

#include <cstddef>

#include "kernels/layout.h"

namespace m2 {

// A key_bias that takes a key out: its weight is exactly 0.
inline constexpr float kMaskedKey = -1e30f;

// Queries that one call takes at most.
inline constexpr size_t kAttentionQueries = 64;

struct AttentionHead {
  size_t channel_blocks = 0;  // of the head; channels that fill up the last are zero in q, k and v
  size_t block_stride = 0;    // floats between channel blocks, of all four
  size_t first_query = 0;     // the position of q's first row among the keys
  size_t queries = 0;         // a multiple of kChannelBlock, at most kAttentionQueries
  size_t keys = 0;            // a multiple of kChannelBlock, at least 1 of them not masked
  const float* q = nullptr;   // at row first_query
  const float* k = nullptr;
  const float* v = nullptr;
  const float* key_bias = nullptr;  // [keys]: 0, or kMaskedKey
  float scale = 0;
  float slope = 0;
  float* out = nullptr;   // at row first_query; may be q
  float* work = nullptr;  // attention_work_floats(channel_blocks), 64-byte aligned
};

size_t attention_work_floats(size_t channel_blocks);

void attention(const AttentionHead& head);

namespace reference {
// out is [queries][channel_blocks · 16].
void attention(const AttentionHead& head, double* out);
}  // namespace reference
}  // namespace m2
