#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "config/load_config.h"
#include "config/presets.h"
#include "train/config/train_config.h"

namespace m2 {
namespace {

TrainConfig read(const std::string& file) {
  return load_train_config(std::string(M2_SOURCE_DIR) + "/configs/" + file);
}

// The files of configs/ with the published models that they must be.
struct Published {
  const char* file;
  const char* preset;
  int64_t length;
  double lr;
  double mlm_probability;
  int64_t batch;
  bool clipped;
};
const Published kPublished[] = {
    {"m2-bert-80m-128.yaml", "m2-bert-80M", 128, 8e-4, 0.3, 4096, true},
    {"m2-bert-110m-128.yaml", "m2-bert-110M", 128, 8e-4, 0.3, 4096, true},
    {"m2-bert-260m-128.yaml", "m2-bert-260M", 128, 8e-4, 0.3, 4096, true},
    {"m2-bert-341m-128.yaml", "m2-bert-341M", 128, 8e-4, 0.3, 4096, true},
    {"m2-bert-80m-2k.yaml", "m2-bert-80M", 2048, 5e-4, 0.3, 256, true},
    {"m2-bert-80m-8k.yaml", "m2-bert-80M", 8192, 5e-4, 0.3, 64, true},
    {"m2-bert-80m-32k.yaml", "m2-bert-80M", 32768, 5e-4, 0.3, 16, true},
    {"mosaic-bert-base-128.yaml", "mosaic-bert-base", 128, 5e-4, 0.3, 4096, false},
    {"bert-base-128.yaml", "bert-base", 512, 5e-4, 0.15, 4096, false},
};

TEST(TrainingPresets, AreThePublishedPretrainings) {
  for (const Published& published : kPublished) {
    SCOPED_TRACE(published.file);
    const TrainConfig config = read(published.file);
    ModelConfig model = preset(published.preset, published.length);
    // Of an attention model's filters nothing is stated; the vocabulary is padded in training.
    if (model.family == Family::kBert) model.vocab_size = 30528;
    EXPECT_EQ(to_json(config.model), to_json(model));
    EXPECT_EQ(config.optimizer.lr, published.lr);
    EXPECT_EQ(config.train.mlm_probability, published.mlm_probability);
    EXPECT_EQ(config.evaluation->mlm_probability, 0.15);
    EXPECT_EQ(config.global_train_batch_size, published.batch);
    EXPECT_EQ(config.clip_norm.has_value(), published.clipped);
    EXPECT_EQ(config.optimizer.beta2, 0.98);
    EXPECT_EQ(config.scheduler.t_warmup, (Duration{TimeUnit::kShare, 0, 0.06}));
    EXPECT_EQ(config.scheduler.alpha_f, 0.02);
    EXPECT_EQ(config.precision, TrainPrecision::kAmpBf16);
    // Half a million tokens a step, whatever the length.
    EXPECT_EQ(config.max_seq_len * config.global_train_batch_size, 524288);
  }
}

TEST(TrainingPresets, EveryFileLoadsWithoutAWarning) {
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(M2_SOURCE_DIR "/configs")) {
    SCOPED_TRACE(entry.path());
    const TrainConfig config = load_train_config(entry.path().string());
    EXPECT_THAT(config.warnings, testing::IsEmpty());
    EXPECT_EQ(config.run_name, entry.path().stem());
    ++files;
  }
  EXPECT_GT(files, std::size(kPublished));
}

TEST(TrainingPresets, TheSmallOneIsSmall) {
  const TrainConfig config = read("small.yaml");
  EXPECT_EQ(config.model.hidden_size, 256);
  EXPECT_EQ(config.model.num_hidden_layers, 4);
  EXPECT_EQ(config.model.padding, Padding::kNone);
}

}  // namespace
}  // namespace m2
