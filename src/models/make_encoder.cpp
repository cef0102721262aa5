#include "models/attention_bert.h"
#include "models/encoder.h"
#include "models/m2_bert.h"

namespace m2 {

std::unique_ptr<Encoder> make_encoder(const Weights& weights) {
  if (weights.config().family == Family::kM2Bert) return std::make_unique<M2Bert>(weights);
  return std::make_unique<AttentionBert>(weights);
}

}  // namespace m2
