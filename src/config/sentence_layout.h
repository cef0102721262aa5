// The sentence-transformers layout of a model's folder: modules.json and the files that it names.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/model_config.h"

namespace m2 {

enum class Activation : uint8_t { kIdentity, kTanh, kRelu, kGelu, kSigmoid, kSilu };
// "identity", "tanh", "relu", "gelu" (the exact one), "sigmoid", "silu".
const char* activation_name(Activation activation);

// activation(W·x + b) on the pooled vector.
struct DenseDescription {
  std::string folder;  // of its weights, within the model's
  int64_t in_features = 0;
  int64_t out_features = 0;
  bool bias = true;
  Activation activation = Activation::kTanh;
};

// What the layout says beyond the configuration. The initial values are those of a model without
// one.
struct SentenceLayout {
  std::string transformer_folder;       // of configuration, weights and vocabulary, within the
                                        // model's; empty: the model's own
  std::optional<Pooling> pooling;       // kCls or kMean
  int64_t pooled_size = 0;              // what the pooling takes; 0: not stated
  std::vector<DenseDescription> dense;  // one after the other
  bool normalise = false;               // after them
  bool include_prompt = true;           // the prompt's tokens are pooled with the text's
  bool lower_case = false;              // texts, also where the vocabulary's own rules keep case
  int64_t max_seq_length = 0;           // of a text, in tokens with the special ones; 0: no limit
  std::vector<std::pair<std::string, std::string>> prompts;  // name and text
  std::optional<std::string> default_prompt;                 // a name among them
  std::string similarity;  // "cosine", "dot", "euclidean", "manhattan"; empty: not stated
};

// The contents of a file, named within the model's folder; nothing where it is missing.
using ReadFile = std::function<std::optional<std::string>(const std::string& name)>;

// The layout, or nothing where there is no modules.json; `folder` is what errors call the folder.
//
// Modules: Transformer; Pooling by cls or mean; any number of Dense; Normalize. Their folders are
// single names. max_seq_length is that of sentence_bert_config.json, else model_max_length of
// tokenizer_config.json.
//
// Throws Error(kInput), one line with file and key, for what is malformed or missing, and for what
// is not supported: other modules, orders, pooling modes, activations, settings of a module.
std::optional<SentenceLayout> parse_sentence_layout(const ReadFile& read,
                                                    const std::string& folder);

// The same from disk.
std::optional<SentenceLayout> read_sentence_layout(const std::string& folder);

}  // namespace m2
