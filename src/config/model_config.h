// config: a model's configuration and, from it, the parameter list. Uses core.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace m2 {

enum class Family : uint8_t {
  kM2Bert,      // Monarch Mixer: long convolutions in place of attention
  kMosaicBert,  // attention with ALiBi, one Wqkv matrix
  kBert         // BERT as transformers has it
};
// "m2_bert", "mosaic_bert", "bert".
const char* family_name(Family family);

// What a text shorter than the model is computed at.
enum class Padding : uint8_t {
  kMaxLength,  // padded with id 0 to max_length(); pads are mixed in
  kNone        // at its own length
};
// "max_length", "none": the values of the key "padding".
const char* padding_name(Padding padding);

enum class Pooling : uint8_t {
  kCls,     // hidden state of token 0
  kMean,    // mean of the hidden states under the mask
  kPooler,  // tanh(W·x + b) of token 0, or of that mean with pool_all
  kNone     // all hidden states
};
// "cls", "mean", "pooler", "none": the values of the key "pooling".
const char* pooling_name(Pooling pooling);

// One model. Members bear the names that the keys have in the research code's config files; their
// initial values are what a silent config means, for M2-BERT and MosaicBERT. Plain BERT differs in
// attention_probs_dropout_prob, use_glu_mlp and use_positional_encodings: see load_config.h.
struct ModelConfig {
  Family family = Family::kM2Bert;

  int64_t hidden_size = 768;
  int64_t intermediate_size = 3072;
  int64_t num_hidden_layers = 12;
  int64_t num_attention_heads = 12;  // without effect in M2-BERT
  int64_t vocab_size = 30522;        // as stated: the ids a text may hold
  int64_t max_position_embeddings = 512;
  int64_t type_vocab_size = 2;
  int64_t num_labels = 2;  // of the classifier
  double layer_norm_eps = 1e-12;
  double initializer_range = 0.02;  // deviation of every new Linear and Embedding
  double hidden_dropout_prob = 0.1;
  double attention_probs_dropout_prob = 0;
  double classifier_dropout = 0.1;  // hidden_dropout_prob where not stated

  bool use_glu_mlp = true;
  bool use_monarch_mlp = false;
  int64_t monarch_mlp_nblocks = 4;
  bool use_positional_encodings = false;

  bool residual_long_conv = false;
  bool bidirectional = true;
  int64_t long_conv_l_max = 0;  // no default: a config must state it (m2_bert)
  double hyena_w = 0;           // no default
  double hyena_w_mod = 1;
  int64_t hyena_emb_dim = 0;  // no default
  int64_t hyena_filter_order = 64;
  bool hyena_training_additions = false;
  // Settings of the filters' own optimiser groups; the published runs had one group only.
  double long_conv_kernel_learning_rate = 1e-3;
  double hyena_lr_pos_emb = 1e-5;
  double hyena_wd = 0.1;

  bool pool_all = false;
  bool use_cls_token = false;
  bool use_normalized_embeddings = false;  // vectors are scaled to length 1 unless a flag says else
  bool gather_sentence_embeddings = false;
  bool expand_positional_embeddings = false;

  Padding padding = Padding::kMaxLength;
  bool padding_stated = false;  // the file holds "padding"; else the family's default
  Pooling pooling = Pooling::kPooler;
  bool pooling_stated = false;  // the file holds "pooling"; else from use_cls_token

  std::string source;                     // the file it came from; empty for a preset
  std::vector<std::string> ignored_keys;  // keys of the file that nothing here reads

  // Rows of the word embeddings: vocab_size rounded up to a multiple of 8, as the research code
  // does; for plain BERT vocab_size itself.
  int64_t padded_vocab_size() const;
  // The longest text, in tokens with the special ones. M2-BERT: long_conv_l_max, and no more than
  // the position embeddings where there are any. Attention: max_position_embeddings, which without
  // position embeddings is what the config declares, not a limit of the arithmetic.
  int64_t max_length() const;
  // The pooling that `use_cls_token` names, where "pooling" is not stated.
  Pooling derived_pooling() const { return use_cls_token ? Pooling::kCls : Pooling::kPooler; }
};

// The padding contract of a config that names none: kMaxLength for M2-BERT, kNone for attention,
// which masks its pads.
Padding default_padding(Family family);

// Throws Error(kInput) naming the source, the key and the limit, for the first size that cannot be
// computed with. load_model_config and preset have called it.
void validate(const ModelConfig& config);

}  // namespace m2
