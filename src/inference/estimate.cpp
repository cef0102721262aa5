#include "inference/estimate.h"

#include <algorithm>

#include "config/flops.h"
#include "config/parameters.h"
#include "kernels/fft_plan.h"
#include "kernels/layout.h"
#include "layers/hyena_filter.h"
#include "ops/operand.h"

namespace m2 {
namespace {

constexpr double kShareKept = 0.7, kShareMade = 0.57;

size_t layer_spectrum_bytes(const ModelConfig& config, int64_t length) {
  const auto plan = fft_plan(transform_size(2 * static_cast<size_t>(length)));
  return channel_blocks(static_cast<size_t>(config.hidden_size)) * plan->spectrum_floats() *
         sizeof(float);
}

size_t kept_layers(const ModelConfig& config, int64_t length, size_t budget) {
  return std::min(static_cast<size_t>(config.num_hidden_layers),
                  budget / layer_spectrum_bytes(config, length));
}

}  // namespace

size_t product_weight_bytes(const ModelConfig& config, DType products) {
  size_t bytes = 0;
  for (const Parameter& parameter : parameters(config)) {
    if (parameter.product == Product::kNone) continue;
    const DType type = operand_type(product_type(parameter.product, products));
    bytes += static_cast<size_t>(parameter.elements()) * dtype_size(type);
  }
  return bytes;
}

size_t estimate_memory(const ModelConfig& config, DType products, int64_t length,
                       size_t filter_cache_bytes, int threads) {
  const size_t rows = static_cast<size_t>(length), hidden = static_cast<size_t>(config.hidden_size);
  const size_t layers = static_cast<size_t>(config.num_hidden_layers);
  size_t floats = rows * hidden * 4;                                    // u, and x1, x2, v
  floats += rows * hidden * (config.use_positional_encodings ? 2 : 1);  // rows of the tables
  if (config.family == Family::kM2Bert) {
    const auto plan = fft_plan(transform_size(2 * rows));
    const size_t order = static_cast<size_t>(config.hyena_filter_order);
    floats += static_cast<size_t>(threads) * plan->workspace_floats();
    floats +=
        4 * rows * order + 2 * plan->points * kFilterPanel;  // features and one panel of kernels
    const size_t spectra = layer_spectrum_bytes(config, length) / sizeof(float);
    const size_t kept = kept_layers(config, length, filter_cache_bytes);
    floats += spectra * (kept == layers ? kept : kept + 1);
  }
  return product_weight_bytes(config, products) + floats * sizeof(float);
}

double estimate_seconds(const ModelConfig& config, int64_t length, size_t filter_cache_bytes,
                        const GemmRates& rates) {
  const bool kept =
      config.family != Family::kM2Bert || kept_layers(config, length, filter_cache_bytes) ==
                                              static_cast<size_t>(config.num_hidden_layers);
  const double share = kept ? kShareKept : kShareMade;
  const double dense = dense_flops_per_token(config) * static_cast<double>(length) / 1e9;
  const double attention =
      attention_flops_per_token(config, length) * static_cast<double>(length) / 1e9;
  const double beside = dense / rates.fp32 * (1 / share - 1);
  return dense / rates.products + beside + attention / (rates.fp32 * share);
}

}  // namespace m2
