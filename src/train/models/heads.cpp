#include "train/models/heads.h"

#include <ATen/ops/gelu.h>
#include <ATen/ops/linear.h>

#include "train/models/product_type.h"

namespace m2::train {
namespace {

const std::string kHead = "cls.predictions.";
constexpr double kNormEps = 1e-12;  // not the configuration's: the published code's own

double norm_eps(const ModelConfig& config) {
  return config.family == Family::kBert ? config.layer_norm_eps : kNormEps;
}

}  // namespace

MlmHead::MlmHead(const ParameterSet& parameters, const ModelConfig& config)
    : dense_(parameters, kHead + "transform.dense"),
      norm_(parameters, kHead + "transform.LayerNorm", norm_eps(config)),
      decoder_(parameters.get(kHead + "decoder.weight")),
      bias_(parameters.get(kHead + "decoder.bias")) {}

at::Tensor MlmHead::transform(const at::Tensor& x, const Pass& pass) const {
  return norm_.apply(at::gelu(dense_.apply_large(x, pass)));
}

at::Tensor MlmHead::logits(const at::Tensor& x, const Pass& pass) const {
  const ProductType type = product_type(pass.bf16, decoder_);
  const at::Tensor operand = type.operand(transform(x, pass));
  return type.result(at::linear(operand, type.operand(decoder_), type.operand(bias_)))
      .to(x.scalar_type());
}

CrossEntropy MlmHead::loss(const at::Tensor& x, const at::Tensor& labels, const Pass& pass,
                           bool count_correct) const {
  return linear_cross_entropy(transform(x, pass), decoder_, bias_, labels,
                              product_type(pass.bf16, decoder_), count_correct);
}

}  // namespace m2::train
