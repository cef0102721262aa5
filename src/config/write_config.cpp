#include <cmath>
#include <nlohmann/json.hpp>

#include "config/load_config.h"
#include "config/written_names.h"

namespace m2 {
namespace {

using Json = nlohmann::ordered_json;

// 10, not 10.0: the research code's files hold whole frequencies.
Json number(double value) {
  if (value == std::floor(value) && std::fabs(value) < 1e9) return static_cast<int64_t>(value);
  return value;
}

void write_mixer(const ModelConfig& config, Json& out) {
  out["long_conv_l_max"] = config.long_conv_l_max;
  out["long_conv_kernel_learning_rate"] = config.long_conv_kernel_learning_rate;
  out["hyena_lr_pos_emb"] = config.hyena_lr_pos_emb;
  out["hyena_w"] = number(config.hyena_w);
  out["hyena_w_mod"] = number(config.hyena_w_mod);
  out["hyena_wd"] = config.hyena_wd;
  out["hyena_emb_dim"] = config.hyena_emb_dim;
  out["hyena_filter_order"] = config.hyena_filter_order;
  out["hyena_training_additions"] = config.hyena_training_additions;
  out["bidirectional"] = config.bidirectional;
  out["residual_long_conv"] = config.residual_long_conv;
}

// Keys of the research code alone: beside plain BERT they would make it another family.
void write_research_keys(const ModelConfig& config, Json& out) {
  out["monarch_mixer_sequence_mixing"] = config.family == Family::kM2Bert;
  if (config.family == Family::kM2Bert) write_mixer(config, out);
  out["use_glu_mlp"] = config.use_glu_mlp;
  out["use_monarch_mlp"] = config.use_monarch_mlp;
  out["monarch_mlp_nblocks"] = config.monarch_mlp_nblocks;
  out["use_positional_encodings"] = config.use_positional_encodings;
}

void write_pooling(const ModelConfig& config, Json& out) {
  out["pool_all"] = config.pool_all;
  out["use_cls_token"] = config.use_cls_token;
  out["gather_sentence_embeddings"] = config.gather_sentence_embeddings;
  out["use_normalized_embeddings"] = config.use_normalized_embeddings;
  out["expand_positional_embeddings"] = config.expand_positional_embeddings;
  // The research code asks for these without a default; what they would switch on is refused here.
  out["sequence_token_planting"] = false;
  out["attention_pooling"] = false;
  out["padding"] = padding_name(config.padding);
  if (config.pooling_stated) out["pooling"] = pooling_name(config.pooling);
}

// What the research code and transformers look for beside the keys that are read here.
void write_upstream_keys(const ModelConfig& config, const std::vector<Parameter>& held, Json& out) {
  const char* name = holds_part(held, Part::kMlmHead)      ? "BertForMaskedLM"
                     : holds_part(held, Part::kClassifier) ? "BertForSequenceClassification"
                                                           : "BertModel";
  out["architectures"] = {name};
  if (config.family == Family::kBert) return;
  out["use_flash_mm"] = false;
  out["use_flash_fft"] = false;
  if (config.family == Family::kM2Bert) out["hyena_filter_dropout"] = 0;
  // Of the table of slopes that the research code makes before it sees a text: any size does.
  out["alibi_starting_size"] = 512;
}

Json write_config(const ModelConfig& config) {
  Json out;
  out["model_type"] = "bert";
  out["hidden_act"] = "gelu";
  out["vocab_size"] = config.vocab_size;
  out["hidden_size"] = config.hidden_size;
  out["intermediate_size"] = config.intermediate_size;
  out["num_hidden_layers"] = config.num_hidden_layers;
  out["num_attention_heads"] = config.num_attention_heads;
  out["max_position_embeddings"] = config.max_position_embeddings;
  out["type_vocab_size"] = config.type_vocab_size;
  out["pad_token_id"] = 0;
  out["layer_norm_eps"] = config.layer_norm_eps;
  out["initializer_range"] = config.initializer_range;
  out["attention_probs_dropout_prob"] = config.attention_probs_dropout_prob;
  out["hidden_dropout_prob"] = config.hidden_dropout_prob;
  out["classifier_dropout"] = config.classifier_dropout;
  out["num_labels"] = config.num_labels;
  if (config.family != Family::kBert) write_research_keys(config, out);
  write_pooling(config, out);
  return out;
}

}  // namespace

std::string to_json(const ModelConfig& config) {
  return write_config(config).dump(2) + "\n";
}

std::string to_json(const ModelConfig& config, const std::vector<Parameter>& held,
                    NameStyle style) {
  Json out = write_config(config);
  if (style == NameStyle::kUpstream) write_upstream_keys(config, held, out);
  return out.dump(2) + "\n";
}

}  // namespace m2
