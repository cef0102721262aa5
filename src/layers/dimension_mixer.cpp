#include "layers/dimension_mixer.h"

#include "core/text.h"
#include "kernels/gelu_gate.h"

namespace m2 {
namespace {

size_t blocks_of(const ModelConfig& config) {
  return config.use_monarch_mlp ? static_cast<size_t>(config.monarch_mlp_nblocks) : 1;
}

// The parts' names after the layer's.
struct MlpNames {
  const char* first;
  const char* second;
  const char* norm;
};

MlpNames names_of(const ModelConfig& config) {
  if (config.family == Family::kBert) {
    return {".intermediate.dense", ".output.dense", ".output.LayerNorm"};
  }
  return {".mlp.gated_layers", ".mlp.wo", ".mlp.layernorm"};
}

Linear make_linear(const Weights& weights, const std::string& name, size_t in, size_t out) {
  const size_t blocks = blocks_of(weights.config());
  const FloatTensor weight = weights.get(name + ".weight");
  const FloatTensor bias =
      weights.has(name + ".bias") ? weights.get(name + ".bias") : FloatTensor();
  return Linear::block_diagonal(blocks, in, out,
                                {tile_stride(in, blocks), tile_stride(out, blocks)}, weight.data(),
                                bias.data());
}

}  // namespace

size_t DimensionMixer::row_stride(const ModelConfig& config) {
  return tile_stride(static_cast<size_t>(config.hidden_size), blocks_of(config));
}

DimensionMixer::DimensionMixer(const Weights& weights, const std::string& prefix)
    : gated_(weights.config().use_glu_mlp),
      width_(static_cast<size_t>(weights.config().intermediate_size)) {
  const MlpNames names = names_of(weights.config());
  const size_t hidden = static_cast<size_t>(weights.config().hidden_size);
  gated_layers_ = make_linear(weights, prefix + names.first, hidden, gated_ ? 2 * width_ : width_);
  wo_ = make_linear(weights, prefix + names.second, width_, hidden);
  norm_ = Norm(weights.get(concat(prefix, names.norm, ".weight")).values(),
               weights.get(concat(prefix, names.norm, ".bias")).values(),
               weights.config().layer_norm_eps);
}

void DimensionMixer::apply(size_t rows, const float* x, WorkerScratch& scratch, float* out) const {
  float* hidden = room(scratch.hidden, kTileRows * gated_layers_.out_stride());
  float* gated = room(scratch.gated, kTileRows * wo_.in_stride());
  float* mixed = room(scratch.projection, kTileRows * wo_.out_stride());
  gated_layers_.apply(rows, x, hidden);
  scratch.clock.lap(Phase::kGemm);
  gelu_gate({rows, width_, gated_layers_.out_stride(), wo_.in_stride(), gated_, hidden, gated});
  scratch.clock.lap(Phase::kGatesAndNorms);
  wo_.apply(rows, gated, mixed);
  scratch.clock.lap(Phase::kGemm);
  norm_.apply(rows, wo_.out_stride(), mixed, x, out);
  scratch.clock.lap(Phase::kGatesAndNorms);
}

}  // namespace m2
