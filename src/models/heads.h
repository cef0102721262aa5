// What follows the encoder: from hidden states to one vector a text.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "config/sentence_layout.h"
#include "layers/weights.h"
#include "models/encoder.h"
#include "ops/linear.h"

namespace m2 {

// tanh(W·x + b)
class Pooler {
 public:
  // Null where the file has no pooler.
  static std::optional<Pooler> load(const Weights& weights);
  // x and out are [hidden_size].
  void apply(std::span<const float> x, std::span<float> out) const;

 private:
  explicit Pooler(const Weights& weights);
  Linear dense_;
};

// W·x + b on the pooled vector: one number a label.
class Classifier {
 public:
  static std::optional<Classifier> load(const Weights& weights);
  size_t labels() const { return dense_.out(); }
  void apply(std::span<const float> pooled, std::span<float> logits) const;

 private:
  explicit Classifier(const Weights& weights);
  Linear dense_;
};

// A Dense module of the sentence-transformers layout: activation(W·x + b), W in linear.weight as
// [out][in], b in linear.bias.
class Dense {
 public:
  // Reads the weights in `folder`. Error(kInput) where they are missing, of another shape, beside
  // others that are not known, or hold a NaN or an infinity.
  static Dense load(const DenseDescription& description, const std::string& folder);
  size_t in() const { return in_; }
  size_t out() const { return linear_.out(); }
  // x is [in], the result replaces it: [out].
  void apply(std::vector<float>& x) const;

 private:
  size_t in_ = 0;
  Activation activation_ = Activation::kIdentity;
  Linear linear_;
};

// Hidden state of one row of a text.
void copy_row(const Activations& hidden, const TextRows& text, size_t row, std::span<float> out);

// Mean of a text's hidden states where the mask is 1; an empty mask means all. Error(kUsage) when
// it is 0 everywhere.
void mean_rows(const Activations& hidden, const TextRows& text, std::span<const int32_t> mask,
               std::span<float> out);

// Scales to length 1; a vector of zeros stays.
void normalise(std::span<float> vector);

}  // namespace m2
