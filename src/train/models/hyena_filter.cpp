#include "train/models/hyena_filter.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/sin.h>

#include "core/text.h"

namespace m2::train {

HyenaFilter::HyenaFilter(const ParameterSet& parameters, const ModelConfig& config,
                         const std::string& prefix)
    : bias_(parameters.get(prefix + ".bias")),
      z_(parameters.get(prefix + ".pos_emb.z")),
      time_(parameters.get(prefix + ".pos_emb.t")),
      deltas_(parameters.get(prefix + ".modulation.deltas")),
      freq_(parameters.get(prefix + ".implicit_filter.1.freq")),
      w_mod_(config.hyena_w_mod),
      forward_(network(parameters, prefix + ".implicit_filter")) {
  if (config.bidirectional) reverse_ = network(parameters, prefix + ".implicit_filter_rev");
}

HyenaFilter::Network HyenaFilter::network(const ParameterSet& parameters,
                                          const std::string& prefix) {
  Network layers;
  for (const int module : {0, 2, 4, 6})
    layers.emplace_back(parameters, concat(prefix, ".", module));
  return layers;
}

at::Tensor HyenaFilter::evaluate(const Network& network, const at::Tensor& z,
                                 const at::Tensor& decay) const {
  const at::Tensor frequency = freq_ * w_mod_;
  at::Tensor features = z;
  for (size_t i = 0; i + 1 < network.size(); ++i) {
    features = at::sin(frequency * network[i].apply(features));
  }
  return network.back().apply(features) * decay;
}

torch_ops::LongFilter HyenaFilter::taps(int64_t length) const {
  const at::Tensor z = z_.select(0, 0).narrow(0, 0, length);
  const at::Tensor time = time_.select(0, 0).narrow(0, 0, length);       // (L, 1)
  const at::Tensor decay = at::exp(-time * deltas_.select(0, 0).abs());  // (L, H)
  torch_ops::LongFilter filter;
  filter.taps = evaluate(forward_, z, decay);
  if (!reverse_.empty()) filter.reverse_taps = evaluate(reverse_, z, decay);
  filter.bias = bias_;
  return filter;
}

}  // namespace m2::train
