#include "config/model_config.h"

#include <algorithm>

#include "core/error.h"
#include "core/text.h"

namespace m2 {
namespace {

// Far above any model that fits a machine, and low enough that no product of sizes overflows.
constexpr int64_t kMaxWidth = int64_t{1} << 16;
constexpr int64_t kMaxLength = int64_t{1} << 24;
constexpr int64_t kMaxVocabulary = int64_t{1} << 24;
constexpr int64_t kMaxLayers = 1024;
constexpr double kMaxFrequency = 1e6;

// Checks that name the file and the key they fail on.
class Checker {
 public:
  explicit Checker(const std::string& source) : where_(source.empty() ? "config" : source) {}

  void size(const char* key, int64_t value, int64_t high, int64_t low = 1) const {
    if (value < low || value > high) {
      refuse(key, concat("is ", value, ", must be from ", low, " to ", high));
    }
  }
  void number(const char* key, double value, double low, double high) const {
    if (!(value >= low && value <= high)) {
      refuse(key, concat("is ", value, ", must be from ", low, " to ", high));
    }
  }
  [[noreturn]] void refuse(const char* key, const std::string& why) const {
    throw input_error(concat(where_, ": ", key, " ", why));
  }

 private:
  std::string where_;
};

void validate_sizes(const ModelConfig& config, const Checker& check) {
  check.size("hidden_size", config.hidden_size, kMaxWidth);
  check.size("intermediate_size", config.intermediate_size, 4 * kMaxWidth);
  check.size("num_hidden_layers", config.num_hidden_layers, kMaxLayers);
  check.size("vocab_size", config.vocab_size, kMaxVocabulary);
  check.size("type_vocab_size", config.type_vocab_size, kMaxWidth);
  check.size("max_position_embeddings", config.max_position_embeddings, kMaxLength);
  check.size("num_labels", config.num_labels, kMaxVocabulary);
  check.number("layer_norm_eps", config.layer_norm_eps, 1e-20, 1);
  check.number("initializer_range", config.initializer_range, 0, 1e3);
  check.number("hidden_dropout_prob", config.hidden_dropout_prob, 0, 0.99);
  check.number("attention_probs_dropout_prob", config.attention_probs_dropout_prob, 0, 0.99);
  check.number("classifier_dropout", config.classifier_dropout, 0, 0.99);
}

void validate_mlp(const ModelConfig& config, const Checker& check) {
  if (!config.use_monarch_mlp) return;
  // More blocks than inputs or outputs would leave blocks that compute nothing.
  check.size("monarch_mlp_nblocks", config.monarch_mlp_nblocks,
             std::min(config.hidden_size, config.intermediate_size));
}

void validate_attention(const ModelConfig& config, const Checker& check) {
  check.size("num_attention_heads", config.num_attention_heads, config.hidden_size);
  if (config.hidden_size % config.num_attention_heads != 0) {
    check.refuse("num_attention_heads",
                 concat("is ", config.num_attention_heads, ", does not divide hidden_size ",
                        config.hidden_size));
  }
}

void validate_filters(const ModelConfig& config, const Checker& check) {
  check.size("long_conv_l_max", config.long_conv_l_max, kMaxLength);
  check.size("hyena_emb_dim", config.hyena_emb_dim, kMaxWidth - 1, 3);
  if (config.hyena_emb_dim % 2 == 0) {
    check.refuse("hyena_emb_dim", concat("is ", config.hyena_emb_dim,
                                         ", must be odd: time, then a cosine and a sine a band"));
  }
  check.size("hyena_filter_order", config.hyena_filter_order, kMaxWidth);
  check.number("hyena_w", config.hyena_w, -kMaxFrequency, kMaxFrequency);
  check.number("hyena_w_mod", config.hyena_w_mod, -kMaxFrequency, kMaxFrequency);
  check.number("long_conv_kernel_learning_rate", config.long_conv_kernel_learning_rate, 0, 1e3);
  check.number("hyena_lr_pos_emb", config.hyena_lr_pos_emb, 0, 1e3);
  check.number("hyena_wd", config.hyena_wd, 0, 1e3);
}

}  // namespace

const char* family_name(Family family) {
  switch (family) {
    case Family::kM2Bert:
      return "m2_bert";
    case Family::kMosaicBert:
      return "mosaic_bert";
    default:
      return "bert";
  }
}

const char* padding_name(Padding padding) {
  return padding == Padding::kMaxLength ? "max_length" : "none";
}

const char* pooling_name(Pooling pooling) {
  switch (pooling) {
    case Pooling::kCls:
      return "cls";
    case Pooling::kMean:
      return "mean";
    case Pooling::kPooler:
      return "pooler";
    default:
      return "none";
  }
}

Padding default_padding(Family family) {
  return family == Family::kM2Bert ? Padding::kMaxLength : Padding::kNone;
}

int64_t ModelConfig::padded_vocab_size() const {
  return family == Family::kBert ? vocab_size : (vocab_size + 7) / 8 * 8;
}

int64_t ModelConfig::max_length() const {
  if (family != Family::kM2Bert) return max_position_embeddings;
  return use_positional_encodings ? std::min(long_conv_l_max, max_position_embeddings)
                                  : long_conv_l_max;
}

void validate(const ModelConfig& config) {
  const Checker check(config.source);
  validate_sizes(config, check);
  if (config.family == Family::kM2Bert) {
    validate_filters(config, check);
  } else {
    validate_attention(config, check);
  }
  validate_mlp(config, check);
}

}  // namespace m2
