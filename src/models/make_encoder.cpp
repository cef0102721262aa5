#include "core/error.h"
#include "core/text.h"
#include "models/encoder.h"
#include "models/m2_bert.h"

namespace m2 {

std::unique_ptr<Encoder> make_encoder(const Weights& weights) {
  const ModelConfig& config = weights.config();
  if (config.family == Family::kM2Bert) return std::make_unique<M2Bert>(weights);
  throw input_error(concat(config.source, ": the model is a ", family_name(config.family),
                           "; this version runs m2_bert alone"));
}

}  // namespace m2
