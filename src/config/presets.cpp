#include "config/presets.h"

#include <vector>

#include "core/error.h"
#include "core/text.h"

namespace m2 {
namespace {

const Preset& find_preset(const std::string& name) {
  std::vector<std::string> names;
  for (const Preset& known : kPresets) {
    if (name == known.name) return known;
    names.emplace_back(known.name);
  }
  throw usage_error(
      concat("no model is named \"", printable(name), "\": choose one of ", join(names, ", ")));
}

void set_mixer(ModelConfig& config, int64_t length) {
  config.long_conv_l_max = length;
  config.hyena_w = 10;
  config.hyena_emb_dim = 5;
  config.hyena_filter_order = 128;
  config.residual_long_conv = true;
  config.use_monarch_mlp = true;
  config.use_positional_encodings = true;
}

}  // namespace

ModelConfig preset(const std::string& name, int64_t length) {
  const Preset& chosen = find_preset(name);
  ModelConfig config;
  config.family = chosen.family;
  config.hidden_size = chosen.hidden_size;
  config.intermediate_size = chosen.intermediate_size;
  config.max_position_embeddings = length;
  config.padding = default_padding(chosen.family);
  if (chosen.family == Family::kM2Bert) set_mixer(config, length);
  if (chosen.family == Family::kMosaicBert) config.use_glu_mlp = false;
  if (chosen.family == Family::kBert) {
    config.use_glu_mlp = false;
    config.use_positional_encodings = true;
    config.attention_probs_dropout_prob = 0.1;
  }
  try {
    validate(config);
  } catch (const Error&) {
    throw usage_error(concat("a model of length ", length, " cannot be made"));
  }
  return config;
}

}  // namespace m2
