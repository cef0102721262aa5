#include "config/load_config.h"

#include <iterator>

#include "config/fields.h"
#include "config/json_reader.h"
#include "core/error.h"
#include "core/mapped_file.h"
#include "core/text.h"

namespace m2 {
namespace {

Family detect_family(Fields& fields) {
  if (fields.flag("monarch_mixer_sequence_mixing", false)) return Family::kM2Bert;
  for (const char* key : {"alibi_starting_size", "use_glu_mlp", "use_monarch_mlp"}) {
    if (fields.has(key)) return Family::kMosaicBert;
  }
  return Family::kBert;
}

void refuse_other_models(Fields& fields) {
  for (const char* key : {"sequence_token_planting", "attention_pooling", "use_flash_mm",
                          "is_decoder", "add_cross_attention"}) {
    if (fields.flag(key, false)) fields.refuse(key, "is true: such a model is not supported");
  }
  if (fields.has("model_type")) {
    const std::string type = fields.text("model_type", "");
    if (type != "bert" && type != "m2_bert" && type != "mosaic_bert") {
      fields.refuse("model_type", concat("is \"", printable(type), "\", only bert is supported"));
    }
  }
  for (const auto& [key, only] :
       {std::pair{"hidden_act", "gelu"}, std::pair{"position_embedding_type", "absolute"}}) {
    const std::string stated = fields.text(key, only);
    if (stated != only) {
      fields.refuse(key, concat("is \"", printable(stated), "\", only ", only, " is supported"));
    }
  }
  if (fields.integer("pad_token_id", 0) != 0) fields.refuse("pad_token_id", "must be 0");
}

void read_sizes(Fields& fields, ModelConfig& config) {
  config.hidden_size = fields.integer("hidden_size", config.hidden_size);
  config.intermediate_size = fields.integer("intermediate_size", config.intermediate_size);
  config.num_hidden_layers = fields.integer("num_hidden_layers", config.num_hidden_layers);
  config.num_attention_heads = fields.integer("num_attention_heads", config.num_attention_heads);
  config.vocab_size = fields.integer("vocab_size", config.vocab_size);
  config.max_position_embeddings =
      fields.integer("max_position_embeddings", config.max_position_embeddings);
  config.type_vocab_size = fields.integer("type_vocab_size", config.type_vocab_size);
  config.layer_norm_eps = fields.number("layer_norm_eps", config.layer_norm_eps);
  config.initializer_range = fields.number("initializer_range", config.initializer_range);
  config.hidden_dropout_prob = fields.number("hidden_dropout_prob", config.hidden_dropout_prob);
  config.attention_probs_dropout_prob =
      fields.number("attention_probs_dropout_prob", config.family == Family::kBert ? 0.1 : 0.0);
  config.classifier_dropout = fields.number("classifier_dropout", config.hidden_dropout_prob);
  // transformers writes the labels' names in place of their number.
  const Value* labels = fields.value("id2label");
  const bool named = labels != nullptr && !labels->members.empty();
  config.num_labels =
      fields.integer("num_labels", named ? std::ssize(labels->members) : config.num_labels);
}

void read_mlp(Fields& fields, ModelConfig& config) {
  const bool plain = config.family == Family::kBert;
  config.use_glu_mlp = plain ? false : fields.flag("use_glu_mlp", config.use_glu_mlp);
  config.use_monarch_mlp = plain ? false : fields.flag("use_monarch_mlp", config.use_monarch_mlp);
  config.use_positional_encodings =
      plain || fields.flag("use_positional_encodings", config.use_positional_encodings);
  if (config.use_monarch_mlp) {
    config.monarch_mlp_nblocks = fields.integer("monarch_mlp_nblocks", config.monarch_mlp_nblocks);
  }
}

void read_mixer(Fields& fields, ModelConfig& config) {
  for (const char* key : {"long_conv_l_max", "hyena_w", "hyena_emb_dim"}) {
    fields.require(key, "a Monarch Mixer model has no default for it");
  }
  config.long_conv_l_max = fields.integer("long_conv_l_max", 0);
  config.hyena_w = fields.number("hyena_w", 0);
  config.hyena_emb_dim = fields.integer("hyena_emb_dim", 0);
  config.hyena_w_mod = fields.number("hyena_w_mod", config.hyena_w_mod);
  config.hyena_filter_order = fields.integer("hyena_filter_order", config.hyena_filter_order);
  config.hyena_training_additions =
      fields.flag("hyena_training_additions", config.hyena_training_additions);
  config.residual_long_conv = fields.flag("residual_long_conv", config.residual_long_conv);
  config.bidirectional = fields.flag("bidirectional", config.bidirectional);
  config.long_conv_kernel_learning_rate =
      fields.number("long_conv_kernel_learning_rate", config.long_conv_kernel_learning_rate);
  config.hyena_lr_pos_emb = fields.number("hyena_lr_pos_emb", config.hyena_lr_pos_emb);
  config.hyena_wd = fields.number("hyena_wd", config.hyena_wd);
}

template <class Enum>
Enum read_name(Fields& fields, const char* key, Enum fallback, const char* (*name)(Enum),
               std::initializer_list<Enum> all) {
  const std::string stated = fields.text(key, name(fallback));
  std::vector<std::string> names;
  for (const Enum value : all) {
    if (stated == name(value)) return value;
    names.emplace_back(name(value));
  }
  fields.refuse(key, concat("is \"", printable(stated), "\", must be one of ", join(names, ", ")));
}

void read_pooling(Fields& fields, ModelConfig& config) {
  config.pool_all = fields.flag("pool_all", false);
  config.use_cls_token = fields.flag("use_cls_token", false);
  config.use_normalized_embeddings = fields.flag("use_normalized_embeddings", false);
  config.gather_sentence_embeddings = fields.flag("gather_sentence_embeddings", false);
  config.expand_positional_embeddings = fields.flag("expand_positional_embeddings", false);
  config.padding_stated = fields.has("padding");
  config.padding = read_name(fields, "padding", default_padding(config.family), padding_name,
                             {Padding::kMaxLength, Padding::kNone});
  config.pooling_stated = fields.has("pooling");
  config.pooling = read_name(fields, "pooling", config.derived_pooling(), pooling_name,
                             {Pooling::kCls, Pooling::kMean, Pooling::kPooler, Pooling::kNone});
}

ModelConfig read_config(const Value& map, const std::string& source) {
  Fields fields(map, source);
  ModelConfig config;
  config.source = source;
  refuse_other_models(fields);
  config.family = detect_family(fields);
  read_sizes(fields, config);
  read_mlp(fields, config);
  if (config.family == Family::kM2Bert) read_mixer(fields, config);
  read_pooling(fields, config);
  config.ignored_keys = fields.unread();
  validate(config);
  return config;
}

}  // namespace

ModelConfig load_model_config(const std::string& path) {
  const std::string text = read_text_file(path, kMaxConfigBytes);
  return read_config(parse_json(text, path), path);
}

}  // namespace m2
