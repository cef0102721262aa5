#include "config/load_config.h"

#include <filesystem>
#include <iterator>

#include "config/fields.h"
#include "config/interpolation.h"
#include "config/json_reader.h"
#include "config/yaml_reader.h"
#include "core/error.h"
#include "core/mapped_file.h"
#include "core/text.h"

namespace m2 {
namespace {

namespace fs = std::filesystem;

constexpr char kConfigName[] = "config.json";
constexpr char kPretrainedName[] = "bert-base-uncased";

int64_t round_up(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

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
  if (plain) return;
  config.monarch_mlp_nblocks = fields.integer("monarch_mlp_nblocks", config.monarch_mlp_nblocks);
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

ModelConfig read_config(const Value& map, const std::string& source, bool plain_bert) {
  Fields fields(map, source);
  ModelConfig config;
  config.source = source;
  refuse_other_models(fields);
  config.family = plain_bert ? Family::kBert : detect_family(fields);
  read_sizes(fields, config);
  read_mlp(fields, config);
  if (config.family == Family::kM2Bert) read_mixer(fields, config);
  read_pooling(fields, config);
  config.ignored_keys = fields.unread();
  validate(config);
  return config;
}

// The members of model_config, resolved. num_labels may name a key that the file lacks: in the
// research code a script fills it in, and no model but a classifier has any use for it.
Value resolve_model_config(const Value& stated, Interpolation& interpolation) {
  if (stated.kind != Value::Kind::kMap) return interpolation.resolve(stated);
  Value result;
  result.kind = Value::Kind::kMap;
  for (const auto& [key, value] : stated.members) {
    try {
      result.members.push_back({key, interpolation.resolve(value)});
    } catch (const Error&) {
      if (key != "num_labels") throw;
    }
  }
  return result;
}

bool is_path(const std::string& name) {
  std::error_code ignored;
  return name.find('/') != std::string::npos || name.ends_with(".txt") || name.ends_with(".json") ||
         fs::exists(name, ignored);
}

bool is_yaml(const fs::path& path) {
  return path.extension() == ".yaml" || path.extension() == ".yml";
}

std::vector<fs::path> yaml_files(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    if (is_yaml(entry.path())) files.push_back(entry.path());
  }
  return files;
}

}  // namespace

ModelConfig training_model_config(const Value& root, const std::string& source) {
  Interpolation interpolation(root, source);
  const Value* model = root.find("model");
  if (model == nullptr || model->kind != Value::Kind::kMap) {
    throw input_error(source + ": has no map \"model\", which holds \"model_config\"");
  }
  // The rest of a training file may lean on names that only its other parts need: left unresolved.
  Value head;
  head.kind = Value::Kind::kMap;
  for (const char* key : {"name", "pretrained_model_name"}) {
    const Value* found = model->find(key);
    if (found != nullptr) head.members.push_back({key, interpolation.resolve(*found)});
  }
  Fields fields(head, source, "model.");
  const std::string base = fields.text("pretrained_model_name", kPretrainedName);
  if (base != kPretrainedName && !is_path(base)) {
    fields.refuse("pretrained_model_name", concat("is \"", printable(base), "\", only ",
                                                  kPretrainedName, " has its sizes known here"));
  }
  const Value* stated = model->find("model_config");
  Value settings;
  settings.kind = Value::Kind::kMap;
  if (stated != nullptr && stated->kind != Value::Kind::kNull) {
    settings = resolve_model_config(*stated, interpolation);
  }
  const bool plain_bert = fields.text("name", "") == "hf_bert";
  ModelConfig config = read_config(settings, source, plain_bert);
  // The research code pads the vocabulary of the plain BERT that it trains, too.
  if (config.family == Family::kBert) config.vocab_size = round_up(config.vocab_size, 8);
  return config;
}

ModelConfig load_model_config(const std::string& path) {
  return parse_model_config(read_text_file(path, kMaxConfigBytes), path);
}

ModelConfig parse_model_config(const std::string& text, const std::string& path) {
  if (is_yaml(path)) return training_model_config(parse_yaml(text, path), path);
  return read_config(parse_json(text, path), path, false);
}

std::string find_config(const std::string& folder_or_file) {
  const fs::path path(folder_or_file);
  std::error_code ignored;
  if (!fs::exists(path, ignored)) throw input_error(folder_or_file + ": no such file or folder");
  const bool is_folder = fs::is_directory(path, ignored);
  if (!is_folder && (is_yaml(path) || path.filename() == kConfigName)) return folder_or_file;
  const fs::path folder = is_folder ? path : path.parent_path();
  if (fs::exists(folder / kConfigName, ignored)) return (folder / kConfigName).string();
  const auto files = yaml_files(folder.empty() ? "." : folder);
  if (files.size() == 1) return files[0].string();
  const std::string where = folder.empty() ? "." : folder.string();
  throw input_error(files.empty()
                        ? concat(where, ": holds no ", kConfigName, " and no YAML file")
                        : concat(where, ": holds no ", kConfigName, " and ", files.size(),
                                 " YAML files: name the one that the model was trained with"));
}

}  // namespace m2
