// Floating-point operations that a model takes, from its configuration alone.
#pragma once

#include <cstdint>

#include "config/model_config.h"

namespace m2 {

// Dense work a token: in_linear, out_linear and the MLP of every layer; in attention models the
// projections in their place. A multiply and an add are two.
double dense_flops_per_token(const ModelConfig& config);

// Attention's work for a token among `length`: the products of scores and of weighted values, two
// of a token with every token. 0 for M2-BERT.
double attention_flops_per_token(const ModelConfig& config, int64_t length);

// The head of masked language modelling, a labelled token: H to H, and H to the vocabulary.
double mlm_head_flops_per_label(const ModelConfig& config);

}  // namespace m2
