// What a text will cost, told before it is computed.
#pragma once

#include <cstddef>
#include <cstdint>

#include "config/model_config.h"

namespace m2 {

// Dense work a token in floating-point operations: in_linear, out_linear and the MLP of every
// layer.
double dense_flops_per_token(const ModelConfig& config);

// Attention's work for a token among `length`: the products of scores and of weighted values, two
// of a token with every token. 0 for M2-BERT.
double attention_flops_per_token(const ModelConfig& config, int64_t length);

// Peak memory of one text of `length` tokens in fp32, in bytes: packed weights, embedding tables,
// activations, filter spectra within the budget and one layer's beyond it.
size_t estimate_memory(const ModelConfig& config, int64_t length, size_t filter_cache_bytes,
                       int threads);

// Seconds for one text of `length` tokens where oneDNN's rate is `gflops`; from the share of that
// rate that the forward pass was measured to reach, filters kept (0.7) or made again (0.57).
// Attention's own work, which grows with the square of the length, counts at the first.
double estimate_seconds(const ModelConfig& config, int64_t length, size_t filter_cache_bytes,
                        double gflops);

}  // namespace m2
