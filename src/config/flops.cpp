#include "config/flops.h"

namespace m2 {
namespace {

double mlp_weights(const ModelConfig& config) {
  const double matrices = config.use_glu_mlp ? 3 : 2;
  const double blocks =
      config.use_monarch_mlp ? static_cast<double>(config.monarch_mlp_nblocks) : 1;
  return matrices * static_cast<double>(config.hidden_size * config.intermediate_size) / blocks;
}

}  // namespace

double dense_flops_per_token(const ModelConfig& config) {
  const double hidden = static_cast<double>(config.hidden_size);
  const double layer_weights = 4 * hidden * hidden + mlp_weights(config);
  return 2 * layer_weights * static_cast<double>(config.num_hidden_layers);
}

double attention_flops_per_token(const ModelConfig& config, int64_t length) {
  if (config.family == Family::kM2Bert) return 0;
  return 4.0 * static_cast<double>(config.hidden_size * config.num_hidden_layers) *
         static_cast<double>(length);
}

double mlm_head_flops_per_label(const ModelConfig& config) {
  const double hidden = static_cast<double>(config.hidden_size);
  return 2 * hidden * (hidden + static_cast<double>(config.padded_vocab_size()));
}

}  // namespace m2
