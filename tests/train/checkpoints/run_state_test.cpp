#include "train/checkpoints/run_state.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "train/checkpoints/test_folder.h"

namespace m2::train {
namespace {

class RunStateTest : public FolderTest {
 protected:
  RunState state_{.step = 12,
                  .samples = int64_t{1} << 53,
                  .tokens = 7,
                  .micro_batch = 4,
                  .seed = UINT64_MAX,
                  .evaluation_loss = 0.1,
                  .recent_losses = {1.0 / 3, 5e-324},
                  .lowest_loss = std::nullopt,
                  .data = {{3, UINT64_MAX}, {4, 0}},
                  .surroundings = {"0.1.0", "abc", "2.13.0", "a processor", "avx2", 2},
                  .configuration = "seed: 1\n\"quoted\""};
};

TEST_F(RunStateTest, ReadsBackToTheBit) {
  write(folder_ / "state.json", to_json(state_));
  const RunState read = read_run_state((folder_ / "state.json").string());
  EXPECT_EQ(read.step, state_.step);
  EXPECT_EQ(read.samples, state_.samples);
  EXPECT_EQ(read.seed, state_.seed);
  EXPECT_EQ(read.evaluation_loss, state_.evaluation_loss);
  EXPECT_EQ(read.recent_losses, state_.recent_losses);
  EXPECT_EQ(read.lowest_loss, std::nullopt);
  EXPECT_EQ(read.data, state_.data);
  EXPECT_EQ(read.surroundings, state_.surroundings);
  EXPECT_EQ(read.configuration, state_.configuration);
}

TEST_F(RunStateTest, RefusesWhatIsNoState) {
  const std::string path = (folder_ / "state.json").string(), whole = to_json(state_);
  EXPECT_THROW(read_run_state(path), Error);
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = whole;
    return text.replace(text.find(from), from.size(), to);
  };
  for (const std::string& text :
       {std::string("{}"), whole.substr(0, whole.size() / 2), with("\"step\": 12", "\"step\": -1"),
        with("\"step\": 12", "\"step\": \"12\""), with("\"format\": 2", "\"format\": 1"),
        with("\"micro_batch\": 4", "\"micro_batch\": 0"), with("\"threads\"", "\"thread\""),
        with("\"fingerprint\": 0", "\"fingerprint\": \"0\"")}) {
    write(path, text);
    EXPECT_THROW(read_run_state(path), Error) << text;
  }
}

TEST(Surroundings, SayWhatDiffers) {
  const Surroundings here{"0.1.0", "abc", "2.13.0", "a processor", "avx2", 2};
  EXPECT_EQ(describe_difference(here, here), "");
  Surroundings there = here;
  there.threads = 1;
  there.isa = "avx512";
  there.build = "def";
  EXPECT_EQ(describe_difference(here, there),
            "another build, instruction set avx2 instead of avx512, threads 2 instead of 1");
}

}  // namespace
}  // namespace m2::train
