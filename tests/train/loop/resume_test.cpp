#include "train/loop/resume.h"

#include <gtest/gtest.h>

#include "config/presets.h"
#include "train/loop/run_checkpoint.h"

namespace m2::train {
namespace {

TEST(SettingsDifference, NamesWhatResultsDependOn) {
  const std::string saved =
      "seed: 1\noptimizer:\n  lr: 0.5\n  betas: [0.9, 0.98]\nsave_folder: a\nmax_duration: 5ba\n";
  EXPECT_EQ(settings_difference(saved, saved), "");
  EXPECT_EQ(settings_difference("seed: 2\noptimizer:\n  lr: 0.5\n  betas: [0.9, 0.99]\n"
                                "save_folder: b\nmax_duration: 5ba\nprecision: fp32\n",
                                saved),
            "optimizer.betas.1, precision, seed");
  EXPECT_EQ(settings_difference("max_duration: 9ba\n", "max_duration: 5ba\n"), "");
  const std::string schedule = "scheduler:\n  t_max: 1dur\n";
  EXPECT_EQ(settings_difference(schedule + "max_duration: 9ba", schedule + "max_duration: 5ba"),
            "max_duration");
}

TEST(ArchitectureDifference, NamesSizesAndSwitches) {
  const ModelConfig here = preset("m2-bert-80M", 128);
  EXPECT_EQ(architecture_difference(here, here), "");
  ModelConfig there = here;
  there.hidden_dropout_prob = 0;  // of the training, not of the model
  there.hyena_wd = 1;
  EXPECT_EQ(architecture_difference(there, here), "");
  there.hidden_size = 64;
  there.bidirectional = false;
  EXPECT_EQ(architecture_difference(there, here),
            "hidden_size is 64 there and 768 here, bidirectional is false there and true here");
  EXPECT_EQ(architecture_difference(preset("bert-base", 128), here),
            "it is bert there and m2_bert here");
}

}  // namespace
}  // namespace m2::train
