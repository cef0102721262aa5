#include "config/parameters.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/error.h"
#include "core/text.h"

namespace m2 {
namespace {

int64_t ceil_div(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

Initialiser uniform(double bound) {
  return {InitialiserKind::kUniform, bound, 0};
}
constexpr Initialiser kZeroInit{InitialiserKind::kZeros, 0, 0};
constexpr Initialiser kOneInit{InitialiserKind::kOnes, 0, 0};

constexpr char kWords[] = "bert.embeddings.word_embeddings.weight";

// Appends parameters in the order of computation.
class ListBuilder {
 public:
  explicit ListBuilder(const ModelConfig& config)
      : config_(config), normal_{InitialiserKind::kNormal, config.initializer_range, 0} {}

  void embeddings();
  void layer(const std::string& prefix);
  void pooler();
  void classifier();
  void mlm_head();
  std::vector<Parameter> take() { return std::move(list_); }

 private:
  Parameter& add(std::string name, std::vector<int64_t> shape, Initialiser initialiser) {
    Parameter& added = list_.emplace_back();
    added.name = std::move(name);
    added.shape = std::move(shape);
    added.initialiser = initialiser;
    added.part = part_;
    added.optional = optional_;
    return added;
  }
  void tie(std::string name, std::vector<int64_t> shape, const std::string& to);
  void linear(const std::string& name, int64_t in, int64_t out, bool bias = true,
              Product product = Product::kNone);
  // One of the encoder's large products.
  void large_linear(const std::string& name, int64_t in, int64_t out,
                    Product product = Product::kLarge) {
    linear(name, in, out, true, product);
  }
  void norm(const std::string& name);
  void block_diagonal(const std::string& name, int64_t in, int64_t out, bool bias);
  void mlp_linear(const std::string& name, int64_t in, int64_t out, bool bias);

  void mixer(const std::string& prefix);
  void filter(const std::string& prefix);
  void filter_network(const std::string& prefix, const std::string& freq);
  void mosaic_attention(const std::string& prefix);
  void mlp(const std::string& prefix);
  void bert_layer(const std::string& prefix);

  const ModelConfig& config_;
  Initialiser normal_;
  Part part_ = Part::kEmbeddings;
  bool optional_ = false;
  std::vector<Parameter> list_;
};

void ListBuilder::tie(std::string name, std::vector<int64_t> shape, const std::string& to) {
  const auto owner = std::find_if(list_.rbegin(), list_.rend(),
                                  [&](const Parameter& other) { return other.name == to; });
  M2_CHECK(owner != list_.rend());
  const Initialiser initialiser = owner->initialiser;
  Parameter& added = add(std::move(name), std::move(shape), initialiser);
  added.optional = true;
  added.tied_to = to;
}

void ListBuilder::linear(const std::string& name, int64_t in, int64_t out, bool bias,
                         Product product) {
  add(name + ".weight", {out, in}, normal_).product = product;
  if (bias) add(name + ".bias", {out}, kZeroInit);
}

void ListBuilder::norm(const std::string& name) {
  add(name + ".weight", {config_.hidden_size}, kOneInit);
  add(name + ".bias", {config_.hidden_size}, kZeroInit);
}

void ListBuilder::block_diagonal(const std::string& name, int64_t in, int64_t out, bool bias) {
  const int64_t blocks = config_.monarch_mlp_nblocks;
  const int64_t block_in = ceil_div(in, blocks);
  add(name + ".weight", {blocks, ceil_div(out, blocks), block_in},
      uniform(1 / std::sqrt(static_cast<double>(block_in))))
      .product = Product::kLarge;
  if (bias) add(name + ".bias", {out}, uniform(1 / std::sqrt(static_cast<double>(out))));
}

void ListBuilder::mlp_linear(const std::string& name, int64_t in, int64_t out, bool bias) {
  if (config_.use_monarch_mlp) {
    block_diagonal(name, in, out, bias);
  } else {
    linear(name, in, out, bias, Product::kLarge);
  }
}

void ListBuilder::embeddings() {
  const int64_t width = config_.hidden_size;
  part_ = Part::kEmbeddings;
  add(kWords, {config_.padded_vocab_size(), width},
      {InitialiserKind::kNormalPadRow, config_.initializer_range, 0});
  if (config_.use_positional_encodings) {
    part_ = Part::kPositions;
    add("bert.embeddings.position_embeddings.weight", {config_.max_position_embeddings, width},
        normal_)
        .length_axis = 0;
    part_ = Part::kEmbeddings;
  }
  add("bert.embeddings.token_type_embeddings.weight", {config_.type_vocab_size, width}, normal_);
  norm("bert.embeddings.LayerNorm");
}

void ListBuilder::layer(const std::string& prefix) {
  part_ = Part::kSequenceMixer;
  if (config_.family == Family::kBert) return bert_layer(prefix);
  if (config_.family == Family::kM2Bert) {
    mixer(prefix + "attention.");
  } else {
    mosaic_attention(prefix + "attention.");
  }
  part_ = Part::kMlp;
  mlp(prefix + "mlp.");
}

void ListBuilder::mixer(const std::string& prefix) {
  const int64_t width = config_.hidden_size;
  if (config_.hyena_training_additions) norm(prefix + "layernorm");
  large_linear(prefix + "in_linear", width, 3 * width);
  const Initialiser conv = uniform(1 / std::sqrt(3.0));
  add(prefix + "short_filter.weight", {3 * width, 1, 3}, conv);
  add(prefix + "short_filter.bias", {3 * width}, conv);
  large_linear(prefix + "out_linear", width, width, Product::kSensitive);
  part_ = Part::kFilters;
  filter(prefix + "filter_fn.");
  if (config_.residual_long_conv) filter(prefix + "filter_fn2.");
}

void ListBuilder::filter(const std::string& prefix) {
  const int64_t length = config_.long_conv_l_max;
  add(prefix + "bias", {config_.hidden_size}, {InitialiserKind::kNormal, 1, 0});
  add(prefix + "pos_emb.z", {1, length, config_.hyena_emb_dim},
      {InitialiserKind::kFilterBands, 0, 0})
      .length_axis = 1;
  Parameter& time = add(prefix + "pos_emb.t", {1, length, 1}, {InitialiserKind::kFilterTime, 0, 0});
  time.length_axis = 1;
  time.trainable = false;
  // Decays that reach 1 % of their start at 1.5 lengths in the slowest channel, 0.3 in the fastest.
  add(prefix + "modulation.deltas", {1, 1, config_.hidden_size},
      {InitialiserKind::kLinspace, std::log(0.01) / 1.5, std::log(0.01) / 0.3})
      .trainable = false;
  const std::string freq = prefix + "implicit_filter.1.freq";
  filter_network(prefix + "implicit_filter.", freq);
  if (config_.bidirectional) filter_network(prefix + "implicit_filter_rev.", freq);
}

// Linear, sine, Linear, sine, Linear, sine, Linear: modules 0 to 6 of a torch Sequential. All sines
// of a filter and of its reverse are one module: their freq is one vector.
void ListBuilder::filter_network(const std::string& prefix, const std::string& freq) {
  const int64_t order = config_.hyena_filter_order;
  for (int i = 0; i < 6; i += 2) {
    linear(concat(prefix, i), i == 0 ? config_.hyena_emb_dim : order, order);
    const std::string name = concat(prefix, i + 1, ".freq");
    if (name == freq) {
      add(name, {1, order}, {InitialiserKind::kConstant, config_.hyena_w, 0});
    } else {
      tie(name, {1, order}, freq);
    }
  }
  linear(prefix + "6", order, config_.hidden_size, false);
}

void ListBuilder::mosaic_attention(const std::string& prefix) {
  const int64_t width = config_.hidden_size;
  large_linear(prefix + "self.Wqkv", width, 3 * width);
  large_linear(prefix + "output.dense", width, width);
  norm(prefix + "output.LayerNorm");
}

void ListBuilder::mlp(const std::string& prefix) {
  const int64_t inner = config_.intermediate_size;
  mlp_linear(prefix + "gated_layers", config_.hidden_size, config_.use_glu_mlp ? 2 * inner : inner,
             false);
  mlp_linear(prefix + "wo", inner, config_.hidden_size, true);
  norm(prefix + "layernorm");
}

void ListBuilder::bert_layer(const std::string& prefix) {
  const int64_t width = config_.hidden_size;
  for (const char* role : {"query", "key", "value"}) {
    large_linear(concat(prefix, "attention.self.", role), width, width);
  }
  large_linear(prefix + "attention.output.dense", width, width);
  norm(prefix + "attention.output.LayerNorm");
  part_ = Part::kMlp;
  large_linear(prefix + "intermediate.dense", width, config_.intermediate_size);
  large_linear(prefix + "output.dense", config_.intermediate_size, width);
  norm(prefix + "output.LayerNorm");
}

void ListBuilder::pooler() {
  part_ = Part::kPooler;
  optional_ = true;
  linear("bert.pooler.dense", config_.hidden_size, config_.hidden_size);
}

void ListBuilder::classifier() {
  part_ = Part::kClassifier;
  optional_ = true;
  linear("classifier", config_.hidden_size, config_.num_labels);
}

void ListBuilder::mlm_head() {
  const int64_t rows = config_.padded_vocab_size();
  part_ = Part::kMlmHead;
  optional_ = true;
  linear("cls.predictions.transform.dense", config_.hidden_size, config_.hidden_size);
  norm("cls.predictions.transform.LayerNorm");
  tie("cls.predictions.decoder.weight", {rows, config_.hidden_size}, kWords);
  if (config_.family == Family::kBert) {
    // transformers keeps the decoder's bias under this name and ties the decoder's own to it.
    add("cls.predictions.bias", {rows}, kZeroInit);
    tie("cls.predictions.decoder.bias", {rows}, "cls.predictions.bias");
  } else {
    add("cls.predictions.decoder.bias", {rows}, kZeroInit);
  }
}

}  // namespace

const char* part_name(Part part) {
  switch (part) {
    case Part::kEmbeddings:
      return "embeddings";
    case Part::kPositions:
      return "positions";
    case Part::kSequenceMixer:
      return "sequence mixer";
    case Part::kFilters:
      return "filters";
    case Part::kMlp:
      return "mlp";
    case Part::kPooler:
      return "pooler";
    case Part::kClassifier:
      return "classifier";
    default:
      return "mlm head";
  }
}

DType product_type(Product product, DType products) {
  if (product == Product::kNone) return DType::kF32;
  return product == Product::kSensitive && products == DType::kI8 ? DType::kBF16 : products;
}

int64_t Parameter::elements() const {
  int64_t count = 1;
  for (const int64_t extent : shape) count *= extent;
  return count;
}

int64_t Parameter::outputs() const {
  return elements() / shape.back();
}

std::string scale_name(const std::string& parameter) {
  return parameter + "_scale";
}

std::vector<Parameter> parameters(const ModelConfig& config, const ParameterScope& scope) {
  ListBuilder builder(config);
  builder.embeddings();
  for (int64_t i = 0; i < config.num_hidden_layers; ++i) {
    builder.layer(concat("bert.encoder.layer.", i, "."));
  }
  if (scope.pooler) builder.pooler();
  if (scope.classifier) builder.classifier();
  if (scope.mlm_head) builder.mlm_head();
  return builder.take();
}

int64_t count_parameters(const ModelConfig& config) {
  int64_t count = 0;
  for (const Parameter& parameter : parameters(config, {.pooler = false})) {
    const bool is_z = parameter.initialiser.kind == InitialiserKind::kFilterBands;
    if (parameter.trainable && parameter.tied_to.empty() && !is_z) count += parameter.elements();
  }
  return count;
}

}  // namespace m2
