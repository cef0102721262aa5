#include "models/mlm_head.h"

#include <algorithm>
#include <string>

#include "kernels/gelu_gate.h"

namespace m2 {
namespace {

const std::string kHead = "cls.predictions.";
constexpr double kNormEps = 1e-12;  // not the configuration's: the published code's own

}  // namespace

std::optional<MlmHead> MlmHead::load(const Weights& weights) {
  if (!weights.has(kHead + "transform.dense.weight")) return std::nullopt;
  return MlmHead(weights);
}

MlmHead::MlmHead(const Weights& weights) {
  const size_t hidden = static_cast<size_t>(weights.config().hidden_size);
  const size_t words = static_cast<size_t>(weights.config().padded_vocab_size());
  const size_t stride = tile_stride(hidden);
  const bool plain = weights.config().family == Family::kBert;
  transform_ =
      Linear({hidden, hidden, stride, stride}, weights.get(kHead + "transform.dense.weight").data(),
             weights.get(kHead + "transform.dense.bias").data());
  norm_ = Norm(weights.get(kHead + "transform.LayerNorm.weight").values(),
               weights.get(kHead + "transform.LayerNorm.bias").values(),
               plain ? weights.config().layer_norm_eps : kNormEps);
  decoder_ = Linear({hidden, words, stride, tile_stride(words)},
                    weights.get(kHead + "decoder.weight").data(),
                    weights.get(kHead + (plain ? "bias" : "decoder.bias")).data());
}

void MlmHead::apply(std::span<const float> x, std::span<float> logits) const {
  const size_t stride = transform_.in_stride();
  AlignedBuffer<float> in(kTileStep * stride), out(kTileStep * stride);
  AlignedBuffer<float> words(kTileStep * decoder_.out_stride());
  std::fill(in.data(), in.data() + in.size(), 0.0f);
  std::copy(x.begin(), x.end(), in.data());
  OperandBuffer operand;
  transform_.apply(kTileStep, in.data(), operand, out.data());
  gelu_gate({kTileStep, x.size(), stride, stride, out.data(), nullptr, in.data()});
  norm_.apply(kTileStep, stride, in.data(), nullptr, in.data());
  decoder_.apply(kTileStep, in.data(), operand, words.data());
  std::copy_n(words.data(), logits.size(), logits.begin());
}

}  // namespace m2
