// The taps of a long convolution, made by a network from positions (a Hyena filter).
//
//   taps[t] = W₆·sin(w·f ⊙ (W₄·sin(…(W₀·z[t] + b₀)) + b₄)) ⊙ exp(−t[t]·|deltas|),  w = hyena_w_mod,
// f = freq; the reverse taps come from a second network that shares z, t, deltas and freq.
#pragma once

#include <string>
#include <vector>

#include "torch_ops/long_conv.h"
#include "train/models/linear.h"

namespace m2::train {

class HyenaFilter {
 public:
  // `prefix` ends before ".bias", ".pos_emb.z", ….
  HyenaFilter(const ParameterSet& parameters, const ModelConfig& config, const std::string& prefix);

  // The first `length` taps each way. In the parameters' number type, whatever the pass: rounding
  // here changes every output.
  torch_ops::LongFilter taps(int64_t length) const;

 private:
  using Network = std::vector<Linear>;  // four layers, a sine after each but the last

  static Network network(const ParameterSet& parameters, const std::string& prefix);
  at::Tensor evaluate(const Network& network, const at::Tensor& z, const at::Tensor& decay) const;

  at::Tensor bias_, z_, time_, deltas_, freq_;
  double w_mod_;
  Network forward_, reverse_;  // the latter is empty in a causal model
};

}  // namespace m2::train
