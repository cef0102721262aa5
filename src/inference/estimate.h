// What a text will cost, told before it is computed.
#pragma once

#include <cstddef>
#include <cstdint>

#include "config/model_config.h"
#include "core/dtype.h"

namespace m2 {

// Bytes of the encoder's large products' weights as they lie in memory where the products are
// computed in `products`: those of a number type that this machine does not multiply are widened to
// fp32 (ops/operand.h).
size_t product_weight_bytes(const ModelConfig& config, DType products);

// Peak memory of one text of `length` tokens, in bytes: packed weights, embedding tables,
// activations, filter spectra within the budget and one layer's beyond it.
size_t estimate_memory(const ModelConfig& config, DType products, int64_t length,
                       size_t filter_cache_bytes, int threads);

// oneDNN's rates on this machine.
struct GemmRates {
  double fp32 = 0;      // GFLOP/s
  double products = 0;  // of the number type that the products are computed in
};

// Seconds for one text of `length` tokens; from the share of oneDNN's rate that the forward pass
// was measured to reach in fp32, filters kept (0.7) or made again (0.57). Another number type makes
// the products alone quicker: all that an fp32 pass spends beside them stays. Attention's own work,
// which grows with the square of the length, is fp32 and counts at the first share.
double estimate_seconds(const ModelConfig& config, int64_t length, size_t filter_cache_bytes,
                        const GemmRates& rates);

}  // namespace m2
