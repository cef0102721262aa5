// M2-BERT's sequence mixer: projections, short convolution, gates and long convolutions.
#pragma once

#include <optional>
#include <string>

#include "train/models/hyena_filter.h"
#include "train/models/linear.h"

namespace m2::train {

class SequenceMixer {
 public:
  SequenceMixer(const ParameterSet& parameters, const ModelConfig& config,
                const std::string& prefix);
  // (B, L, H) to the same, in the parameters' number type; no residual.
  at::Tensor apply(const at::Tensor& x, const LayerInput& input) const;

 private:
  std::optional<Norm> norm_;
  Linear in_linear_, out_linear_;
  at::Tensor short_weight_, short_bias_;
  HyenaFilter gated_filter_;
  std::optional<HyenaFilter> residual_filter_;
};

}  // namespace m2::train
