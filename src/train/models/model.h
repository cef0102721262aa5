// M2-BERT, MosaicBERT and BERT to be trained: the same formulas as the engine's models,
// with gradients.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "config/model_config.h"
#include "config/parameters.h"
#include "train/models/parameter_set.h"

namespace m2::train {

// Texts as (B, L) rows of token ids, int64. A micro-batch is some texts of a batch; all
// micro-batches of a batch have its L, or dropout's masks would depend on the cut.
struct Batch {
  at::Tensor ids;
  at::Tensor types;        // int64 (B, L); undefined: all 0
  at::Tensor mask;         // int64 (B, L), 1 in the text, 0 at the pads behind it; undefined: all 1
  at::Tensor labels;       // int64 (B, L), the word to be told at a position; 0 and less: none
  int64_t first_text = 0;  // the first text's number within the whole batch
};

// How a forward pass is computed.
struct Pass {
  // Dropout acts, with the masks of (seed, step, layer, place, row of the whole batch).
  bool training = false;
  uint64_t seed = 0;
  int64_t step = 0;
  // The products that the parameter list calls large, and the MLM head's, are computed in bf16;
  // norms, softmax, convolutions, filter networks, residuals and losses stay in fp32.
  bool bf16 = false;
  // A layer's activations are not kept but computed again in the backward pass; the same bits.
  bool recompute = false;
};

struct MaskedLoss {
  // Cross-entropy in nats, summed over the labelled positions; a scalar with a graph. Divide it by
  // the labelled count of the whole batch, then call backward().
  at::Tensor sum;
  int64_t labelled = 0;
  int64_t correct = 0;  // labelled positions whose word has the largest logit; if asked for
};

struct ModelOptions {
  ParameterScope scope;
  uint64_t seed = 0;                 // of the initial values
  at::ScalarType type = at::kFloat;  // or kDouble
  bool freeze_pad_row = false;       // row 0 of the word embeddings has no gradient from the
                                     // input side, only that of a tied decoder
};

// A padding contract (ModelConfig::padding) is part of an M2-BERT: under max_length the caller pads
// every text to max_length() and pads are mixed in; under none pads are left out of both
// convolutions, so that a text's hidden states are those of the text alone. Attention masks its
// pads. Rows at pads hold no meaning, except in M2-BERT under max_length; MosaicBERT's are zero.
class Model {
 public:
  // Throws Error(kInput) for a configuration that validate() refuses.
  Model(const ModelConfig& config, const ModelOptions& options);
  ~Model();
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  const ModelConfig& config() const { return config_; }
  ParameterSet& parameters() { return parameters_; }
  const ParameterSet& parameters() const { return parameters_; }

  // Hidden states (B, L, H). L is at most max_length().
  at::Tensor encode(const Batch& batch, const Pass& pass) const;

  // Wants an mlm_head in the scope and labels in the batch, which may label no position: the sum is
  // a 0 with a graph then.
  MaskedLoss masked_language_model_loss(const Batch& batch, const Pass& pass,
                                        bool count_correct = false) const;
  // Logits (labelled, padded_vocab_size()) at the labelled positions, row by row.
  at::Tensor label_logits(const Batch& batch, const Pass& pass) const;

  // One vector a text (B, H): the pooler of token 0, or of the masked mean with pool_all; without a
  // pooler that mean; token 0 with use_cls_token. Of length 1 with use_normalized_embeddings.
  at::Tensor pool(const at::Tensor& hidden, const Batch& batch) const;
  // Class logits (B, num_labels); wants a classifier in the scope.
  at::Tensor class_logits(const Batch& batch, const Pass& pass) const;

 private:
  ModelConfig config_;
  ParameterSet parameters_;
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace m2::train
