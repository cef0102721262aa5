#include "train/models/attention.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/tensor.h>

#include <bit>
#include <cmath>

#include "train/models/dropout.h"

namespace m2::train {
namespace {

std::vector<double> alibi_slopes(uint64_t heads) {
  const auto geometric = [](uint64_t count) {
    std::vector<double> slopes;
    for (uint64_t i = 1; i <= count; ++i) {
      slopes.push_back(std::exp2(-8.0 * static_cast<double>(i) / static_cast<double>(count)));
    }
    return slopes;
  };
  std::vector<double> slopes = geometric(std::bit_floor(heads));
  const std::vector<double> finer = geometric(2 * std::bit_floor(heads));
  for (size_t i = 0; slopes.size() < heads; i += 2) slopes.push_back(finer[i]);
  return slopes;
}

std::vector<Linear> make_projections(const ParameterSet& parameters, const ModelConfig& config,
                                     const std::string& prefix) {
  std::vector<Linear> projections;
  if (config.family == Family::kMosaicBert) {
    projections.emplace_back(parameters, prefix + ".self.Wqkv");
  } else {
    for (const char* role : {".self.query", ".self.key", ".self.value"}) {
      projections.emplace_back(parameters, prefix + role);
    }
  }
  return projections;
}

}  // namespace

at::Tensor alibi_bias(int64_t heads, int64_t length, at::ScalarType type) {
  const at::Tensor positions = at::arange(length, at::TensorOptions(type));
  const at::Tensor distance = (positions.unsqueeze(0) - positions.unsqueeze(1)).abs();
  const at::Tensor slopes =
      at::tensor(alibi_slopes(static_cast<uint64_t>(heads)), at::TensorOptions(at::kDouble));
  return (-slopes.to(type).view({1, heads, 1, 1})) * distance;
}

Attention::Attention(const ParameterSet& parameters, const ModelConfig& config,
                     const std::string& prefix)
    : projections_(make_projections(parameters, config, prefix)),
      dense_(parameters, prefix + ".output.dense"),
      norm_(parameters, prefix + ".output.LayerNorm", config.layer_norm_eps),
      heads_(config.num_attention_heads),
      weights_dropout_(config.attention_probs_dropout_prob),
      output_dropout_(config.hidden_dropout_prob) {}

at::Tensor Attention::attend(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                             const LayerInput& input) const {
  const bool drops = input.pass.training && weights_dropout_ > 0;
  const std::optional<at::Tensor> bias =
      input.attention_bias.defined() ? std::optional(input.attention_bias) : std::nullopt;
  if (!drops) return at::scaled_dot_product_attention(q, k, v, bias);
  at::Tensor scores = at::matmul(q, k.transpose(2, 3)) / std::sqrt(static_cast<double>(q.size(3)));
  if (bias) scores = scores + *bias;
  const at::Tensor weights =
      dropout(at::softmax(scores, -1), weights_dropout_, DropoutPlace::kAttentionWeights, input);
  return at::matmul(weights, v);
}

at::Tensor Attention::apply(const at::Tensor& x, const LayerInput& input) const {
  const int64_t texts = x.size(0), length = x.size(1), width = x.size(2);
  std::vector<at::Tensor> parts;
  for (const Linear& projection : projections_) {
    const at::Tensor y = projection.apply_large(x, input.pass).to(x.scalar_type());
    for (const at::Tensor& part : y.split(width, 2)) {
      parts.push_back(part.view({texts, length, heads_, width / heads_}).transpose(1, 2));
    }
  }
  const at::Tensor y =
      attend(parts[0], parts[1], parts[2], input).transpose(1, 2).reshape({texts, length, width});
  const at::Tensor output = dropout(dense_.apply_large(y, input.pass).to(x.scalar_type()),
                                    output_dropout_, DropoutPlace::kAttentionOutput, input);
  return norm_.apply(x + output);
}

}  // namespace m2::train
