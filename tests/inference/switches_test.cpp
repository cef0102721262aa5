// Switches that the committed golden files leave alone, each held to a model without it that must
// give the same vectors.
#include <gtest/gtest.h>

#include <cmath>

#include "inference/small_model.h"

namespace m2 {
namespace {

constexpr VectorRequest kMean = {Pooling::kMean, false};

std::vector<std::vector<float>> vectors_of(const std::shared_ptr<const Model>& model) {
  Session session(model, {1});
  return vectors_of(session, {some_tokens(1, 1), some_tokens(50, 2), some_tokens(300, 3)}, kMean);
}

double relative_error(const std::vector<std::vector<float>>& found,
                      const std::vector<std::vector<float>>& expected) {
  double difference = 0, norm = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    for (size_t c = 0; c < expected[i].size(); ++c) {
      const double e = static_cast<double>(expected[i][c]);
      difference += std::pow(static_cast<double>(found[i][c]) - e, 2);
      norm += e * e;
    }
  }
  return std::sqrt(difference / norm);
}

void scale(std::span<float> values, double factor) {
  for (float& value : values) value = static_cast<float>(value * factor);
}

// Filters that weigh as much as the rest, which at their initialisation they do not.
void strengthen_filters(const std::string& name, std::span<float> values) {
  if (name.find("implicit_filter") == name.npos || !name.ends_with("weight")) return;
  scale(values, 30);
}

TEST(Switches, FilterFrequenciesAreTimesWMod) {
  const auto none = [](ModelConfig&) {};
  const auto modulated = edited_model(
      "w_mod", [](ModelConfig& config) { config.hyena_w_mod = 3; }, strengthen_filters);
  const auto faster = edited_model("freq", none, [](const std::string& name, auto values) {
    strengthen_filters(name, values);
    if (name.ends_with("freq")) scale(values, 3);
  });
  const auto plain = edited_model("plain", none, strengthen_filters);
  EXPECT_EQ(vectors_of(modulated), vectors_of(faster));
  EXPECT_GT(relative_error(vectors_of(modulated), vectors_of(plain)), 1e-3);
}

// The mixer's own norm adds 1e-5 to the variance, whatever layer_norm_eps says: small embeddings of
// variance w² leave it with the length 1/√(1 + 1e-5/w²).
TEST(Switches, TrainingAdditionsNormaliseFirst) {
  constexpr double kWidth = 1e-2;
  const auto embedding_norm = [](double weight) {
    return [weight](const std::string& name, std::span<float> values) {
      if (name == "bert.embeddings.LayerNorm.weight") scale(values, weight);
      if (name == "bert.embeddings.LayerNorm.bias") scale(values, 0);
      // The mixer's norm as it is initially: it then changes nothing but the length.
      if (name.ends_with("attention.layernorm.bias")) scale(values, 0);
    };
  };
  const auto with = edited_model(
      "additions",
      [](ModelConfig& config) {
        config.num_hidden_layers = 1;
        config.hyena_training_additions = true;
      },
      embedding_norm(kWidth));
  const auto one_layer = [](ModelConfig& config) { config.num_hidden_layers = 1; };
  const double length = 1 / std::sqrt(1 + 1e-5 / (kWidth * kWidth));
  const auto without = edited_model("scaled", one_layer, embedding_norm(length));
  const auto unscaled = edited_model("unscaled", one_layer, embedding_norm(1));
  EXPECT_LT(relative_error(vectors_of(with), vectors_of(without)), 1e-5);
  EXPECT_GT(relative_error(vectors_of(with), vectors_of(unscaled)), 1e-3);
}

}  // namespace
}  // namespace m2
