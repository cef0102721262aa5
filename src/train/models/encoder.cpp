#include "train/models/encoder.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cumprod.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include <string>

#include "core/error.h"
#include "core/text.h"
#include "train/models/attention.h"
#include "train/models/dimension_mixer.h"
#include "train/models/recompute.h"
#include "train/models/sequence_mixer.h"

namespace m2::train {
namespace {

// What a padded key's score is lowered by: its weight is 0 in any number type.
constexpr double kMaskedKey = -10000;

template <class Mixer>
class MixerLayer final : public Layer {
 public:
  MixerLayer(const ParameterSet& parameters, const ModelConfig& config, const std::string& prefix)
      : mixer_(parameters, config, prefix + ".attention"),
        dimension_mixer_(parameters, config, prefix) {}
  at::Tensor apply(const at::Tensor& x, const LayerInput& input) const override {
    return dimension_mixer_.apply(mixer_.apply(x, input), input);
  }

 private:
  Mixer mixer_;
  DimensionMixer dimension_mixer_;
};

std::unique_ptr<Layer> make_layer(const ParameterSet& parameters, const ModelConfig& config,
                                  const std::string& prefix) {
  if (config.family == Family::kM2Bert) {
    return std::make_unique<MixerLayer<SequenceMixer>>(parameters, config, prefix);
  }
  return std::make_unique<MixerLayer<Attention>>(parameters, config, prefix);
}

bool has_pads(const Batch& batch) {
  return batch.mask.defined() && batch.mask.eq(0).any().item<bool>();
}

}  // namespace

Encoder::Encoder(const ParameterSet& parameters, const ModelConfig& config, bool freeze_pad_row)
    : config_(config), embeddings_(parameters, config, freeze_pad_row) {
  for (int64_t i = 0; i < config.num_hidden_layers; ++i) {
    const std::string prefix = concat("bert.encoder.layer.", i);
    layers_.push_back(
        {make_layer(parameters, config, prefix), parameters.trained_below(prefix + ".")});
  }
}

LayerInput Encoder::make_input(const Batch& batch, const Pass& pass, at::ScalarType type) const {
  LayerInput input;
  input.pass = pass;
  input.layer = -1;
  input.first_text = batch.first_text;
  const bool pads = has_pads(batch);
  if (config_.family == Family::kM2Bert) {
    if (!pads || config_.padding == Padding::kMaxLength) return input;
    M2_CHECK(at::cumprod(batch.mask, 1).equal(batch.mask));  // pads are behind the text
    input.lengths = batch.mask.sum(1);
    return input;
  }
  const int64_t length = batch.ids.size(1);
  if (config_.family == Family::kMosaicBert) {
    input.attention_bias = alibi_bias(config_.num_attention_heads, length, type);
  }
  if (!pads) return input;
  at::Tensor keys = at::zeros({batch.ids.size(0), 1, 1, length}, at::TensorOptions(type));
  keys.masked_fill_(batch.mask.eq(0).view(keys.sizes()), kMaskedKey);
  if (input.attention_bias.defined()) {
    input.attention_bias = input.attention_bias + keys;
  } else {
    input.attention_bias = keys.expand({-1, -1, length, -1});
  }
  return input;
}

at::Tensor Encoder::apply(const Batch& batch, const Pass& pass) const {
  M2_CHECK(batch.ids.dim() == 2 && batch.ids.size(1) <= config_.max_length());
  LayerInput input;
  input.pass = pass;
  input.layer = -1;
  input.first_text = batch.first_text;
  at::Tensor x = embeddings_.apply(batch, input);
  input = make_input(batch, pass, x.scalar_type());
  for (const Place& place : layers_) {
    ++input.layer;
    const auto body = [&place, input](const at::Tensor& rows) {
      return place.layer->apply(rows, input);
    };
    x = pass.recompute ? recomputed(body, x, place.trained) : body(x);
  }
  if (config_.family != Family::kMosaicBert || !has_pads(batch)) return x;
  return x * batch.mask.unsqueeze(2).to(x.scalar_type());
}

}  // namespace m2::train
