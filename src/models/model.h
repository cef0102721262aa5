// A whole model from its files: encoder, heads, and what the files say of themselves.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/model_config.h"
#include "config/sentence_layout.h"
#include "layers/spectrum_store.h"
#include "models/encoder.h"
#include "models/heads.h"
#include "models/mlm_head.h"

namespace m2 {

struct ModelFiles {
  std::string path;                // a folder, a file of weights, or a name on the hub
  std::string config_path;         // empty: looked for beside the weights
  std::optional<Padding> padding;  // instead of the model's own contract
  bool with_mlm_head = false;      // the head of masked language modelling must be there
  // Number type of the encoder's large products: kF32, kBF16 or kI8. Without one, kI8 where the
  // weights are stored so, else kF32. Norms, filters, convolutions and heads stay fp32.
  std::optional<DType> dtype = std::nullopt;
};

// What is known of a model before its weights are read: enough for `info` and for a tokenizer.
struct ModelDescription {
  ModelConfig config;
  std::shared_ptr<const TensorFile> tensors;
  std::string folder;              // where a vocabulary is to be looked for
  std::vector<std::string> files;  // that hold the tensors
  // What a modules.json in the model's folder adds; without one, its initial values. The
  // configuration's pooling and normalisation are the layout's.
  SentenceLayout layout;
  std::string layout_folder;  // where its modules' folders lie

  // The longest text, in tokens with the special ones: of configuration and layout.
  int64_t longest_text() const;
};

// Opens and checks names and shapes nowhere yet. Throws Error(kInput).
ModelDescription describe_model(const ModelFiles& files);

struct Model {
  ModelConfig config;  // pooling is one that the weights can do
  std::string folder;
  DType dtype = DType::kF32;  // as asked for or stored; operand_type() says what is multiplied
  SentenceLayout layout;      // initial values for a model without one
  std::unique_ptr<Encoder> encoder;
  std::optional<Pooler> pooler;
  std::optional<Classifier> classifier;
  std::optional<MlmHead> mlm_head;  // where ModelFiles asks for it

  // Of its filters, for all sessions of this model: a session brings the budget.
  std::shared_ptr<SpectrumStore> spectra = std::make_shared<SpectrumStore>();

  std::vector<Dense> dense;  // applied to pooled vectors, one after the other

  // Numbers of a pooled vector. Hidden states (Pooling::kNone) have hidden_size.
  size_t vector_size() const;
  // The longest text, in tokens with the special ones: config.max_length(), or less where the
  // sentence-transformers layout says so.
  int64_t longest_text() const;
};

// Reads the weights. A model without a pooler that would pool by it gets the masked mean instead,
// with one warning. Throws Error(kInput) for files that are missing, damaged or do not fit
// together.
std::shared_ptr<const Model> load_model(const ModelFiles& files);

}  // namespace m2
