#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "config/golden.h"
#include "config/load_config.h"
#include "config/parameters.h"
#include "config/presets.h"

namespace m2 {
namespace {

Parameter find(const ModelConfig& config, const std::string& name) {
  for (const Parameter& parameter : parameters(config, {.classifier = true, .mlm_head = true})) {
    if (parameter.name == name) return parameter;
  }
  throw std::runtime_error("no parameter " + name);
}

std::vector<float> values(const ModelConfig& config, const std::string& name, uint64_t seed = 7) {
  const Parameter parameter = find(config, name);
  std::vector<float> out(static_cast<size_t>(parameter.elements()), -99);
  initialise(parameter, config, seed, out);
  return out;
}

struct Moments {
  double mean = 0, deviation = 0, largest = 0;
};

Moments moments(std::span<const float> sample) {
  Moments result;
  const double count = static_cast<double>(sample.size());
  for (const float x : sample) result.mean += x / count;
  for (const float x : sample) {
    result.deviation += (x - result.mean) * (x - result.mean) / count;
    result.largest = std::max(result.largest, std::fabs(static_cast<double>(x)));
  }
  result.deviation = std::sqrt(result.deviation);
  return result;
}

// Bounds are 5 standard errors: sigma/sqrt(n) of a mean; of a deviation sigma/sqrt(2n) for a normal
// sample, sigma·sqrt(0.2/n) for a uniform one (its fourth moment is 1.8 sigma⁴).
void expect_normal(std::span<const float> sample, double sigma) {
  const Moments m = moments(sample);
  const double n = static_cast<double>(sample.size());
  EXPECT_NEAR(m.mean, 0, 5 * sigma / std::sqrt(n));
  EXPECT_NEAR(m.deviation, sigma, 5 * sigma / std::sqrt(2 * n));
  // A uniform sample of that deviation stops at sqrt(3) sigma.
  EXPECT_GT(m.largest, 2 * sigma);
}

void expect_uniform(std::span<const float> sample, double bound) {
  const Moments m = moments(sample);
  const double n = static_cast<double>(sample.size());
  const double sigma = bound / std::sqrt(3.0);
  EXPECT_NEAR(m.mean, 0, 5 * sigma / std::sqrt(n));
  EXPECT_NEAR(m.deviation, sigma, 5 * sigma * std::sqrt(0.2 / n));
  EXPECT_LE(m.largest, bound * (1 + 1e-6));  // rounding to float
}

const std::string kLayer = "bert.encoder.layer.0.";

TEST(Initialise, RandomOnesHaveTheirMoments) {
  const ModelConfig config = preset("m2-bert-80M", 128);
  expect_normal(values(config, kLayer + "attention.in_linear.weight"), 0.02);
  expect_normal(values(config, kLayer + "attention.filter_fn.implicit_filter.2.weight"), 0.02);
  expect_normal(values(config, kLayer + "attention.filter_fn.bias"), 1);
  expect_normal(values(config, "bert.embeddings.position_embeddings.weight"), 0.02);
  const double conv = 1 / std::sqrt(3.0);
  expect_uniform(values(config, kLayer + "attention.short_filter.weight"), conv);
  expect_uniform(values(config, kLayer + "attention.short_filter.bias"), conv);
  expect_uniform(values(config, kLayer + "mlp.gated_layers.weight"), 1 / std::sqrt(768 / 4.0));
  expect_uniform(values(config, kLayer + "mlp.wo.weight"), 1 / std::sqrt(3072 / 4.0));
  expect_uniform(values(config, kLayer + "mlp.wo.bias"), 1 / std::sqrt(768.0));
}

TEST(Initialise, UnevenBlocksCountThePaddedInputs) {
  ModelConfig config = preset("m2-bert-80M", 128);
  config.hidden_size = 60;
  config.intermediate_size = 250;
  config.monarch_mlp_nblocks = 8;
  expect_uniform(values(config, kLayer + "mlp.gated_layers.weight"), 1 / std::sqrt(8.0));
  expect_uniform(values(config, kLayer + "mlp.wo.weight"), 1 / std::sqrt(32.0));
  expect_uniform(values(config, kLayer + "mlp.wo.bias"), 1 / std::sqrt(60.0));
}

TEST(Initialise, ConstantsAndThePadRow) {
  ModelConfig config = preset("m2-bert-80M", 128);
  config.vocab_size = 1001;
  for (const float x : values(config, kLayer + "attention.in_linear.bias")) EXPECT_EQ(x, 0);
  for (const float x : values(config, kLayer + "mlp.layernorm.weight")) EXPECT_EQ(x, 1);
  const std::string filter = kLayer + "attention.filter_fn.implicit_filter";
  for (const float x : values(config, filter + ".1.freq")) EXPECT_EQ(x, 10);
  for (const float x : values(config, filter + "_rev.5.freq")) EXPECT_EQ(x, 10);
  const auto words = values(config, "bert.embeddings.word_embeddings.weight");
  for (size_t i = 0; i < 768; ++i) EXPECT_EQ(words[i], 0);
  expect_normal(std::span(words).subspan(768), 0.02);
  EXPECT_EQ(values(config, "cls.predictions.decoder.weight"), words);
}

TEST(Initialise, StreamsDependOnSeedAndNameAlone) {
  const ModelConfig config = preset("m2-bert-80M", 128);
  ModelConfig other = config;
  other.num_hidden_layers = 2;
  other.use_positional_encodings = false;
  const std::string name = kLayer + "attention.out_linear.weight";
  EXPECT_EQ(values(config, name), values(other, name));
  EXPECT_NE(values(config, name), values(config, name, 8));
  EXPECT_NE(values(config, name),
            values(config, "bert.encoder.layer.1.attention.out_linear.weight"));
}

// Rows of z that the research code's own module holds at l_max 128, emb_dim 5, as float32. It
// computes in float32 where this computes in double: the phase, up to 2π, has an error of 2^-22
// there.
TEST(Initialise, BandsAreTheResearchCodes) {
  const ModelConfig config = preset("m2-bert-80M", 128);
  const auto z = values(config, kLayer + "attention.filter_fn.pos_emb.z");
  const std::map<size_t, std::array<double, 5>> rows = {
      {0, {0, 1, 1, 0, 0}},
      {1,
       {0.007874015718698502, 1.0, 0.9987954497337341, -4.908738446829375e-06,
        -0.049067676067352295}},
      {77,
       {0.6062992215156555, 0.9999999403953552, -0.803207516670227, -0.00037797284312546253,
        0.5956993103027344}},
      {127,
       {1.0, 0.9999998211860657, 0.9987954497337341, -0.0006234096945263445, 0.04906763881444931}}};
  for (const auto& [s, row] : rows) {
    for (size_t j = 0; j < 5; ++j) EXPECT_NEAR(z[s * 5 + j], row[j], 5e-7) << s << " " << j;
  }
}

TEST(Initialise, ShortestFilters) {
  ModelConfig config = preset("m2-bert-80M", 1);
  config.hyena_emb_dim = 3;
  EXPECT_EQ(values(config, kLayer + "attention.filter_fn.pos_emb.z"),
            (std::vector<float>{0, 1, 0}));
  EXPECT_EQ(values(config, kLayer + "attention.filter_fn.pos_emb.t"), (std::vector<float>{0}));
}

// t and deltas are not trained: a golden file still has its initial ones, made in float32.
TEST(Initialise, TimeAndDecaysEqualTheGoldenFiles) {
  const auto folders = golden_folders();
  if (folders.empty()) GTEST_SKIP() << "no golden folder with a config.json";
  for (const auto& folder : folders) {
    SCOPED_TRACE(folder.filename().string());
    const ModelConfig config = load_model_config((folder / "config.json").string());
    if (config.family != Family::kM2Bert) continue;
    const GoldenTensors file(folder / "model.safetensors");
    for (const char* part : {"pos_emb.t", "modulation.deltas"}) {
      const std::string name = kLayer + "attention.filter_fn." + part;
      const auto made = values(config, name);
      const auto held = file.floats(name);
      ASSERT_EQ(made.size(), held.size());
      for (size_t i = 0; i < made.size(); ++i) EXPECT_NEAR(made[i], held[i], 2e-6) << name << i;
    }
  }
}

}  // namespace
}  // namespace m2
