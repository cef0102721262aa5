#include "train/checkpoints/checkpoint_store.h"

#include <gmock/gmock.h>

#include <limits>

#include "core/error.h"
#include "core/log.h"
#include "train/checkpoints/file_hashes.h"
#include "train/checkpoints/run_state.h"
#include "train/checkpoints/test_folder.h"
#include "train/checkpoints/whole_folder.h"

namespace m2::train {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr int64_t kAll = std::numeric_limits<int64_t>::max();

class CheckpointStoreTest : public FolderTest {
 protected:
  CheckpointStoreTest() {
    set_log_sink([this](LogLevel, const std::string& line) { warnings_.push_back(line); });
  }
  ~CheckpointStoreTest() override { set_log_sink({}); }

  void save(int64_t step, std::optional<double> loss = std::nullopt) const {
    store_.save(step, [&](const fs::path& folder) {
      RunState state;
      state.step = step;
      state.micro_batch = 1;
      state.evaluation_loss = loss;
      write(folder / kStateFile, to_json(state));
      write(folder / "weights", "weights of " + std::to_string(step));
    });
  }
  std::vector<int64_t> steps() const {
    std::vector<int64_t> found;
    for (const SavedCheckpoint& saved : store_.list(kAll)) found.push_back(saved.step);
    return found;
  }

  const CheckpointStore store_{folder_ / "checkpoints"};
  std::vector<std::string> warnings_;
};

TEST_F(CheckpointStoreTest, ListsTheNewestFirst) {
  EXPECT_TRUE(store_.list(kAll).empty());
  for (const int64_t step : {9, 10, 100}) save(step);
  EXPECT_THAT(steps(), ElementsAre(100, 10, 9));
  EXPECT_EQ(store_.newest_whole()->step, 100);
}

TEST_F(CheckpointStoreTest, TellsStepsFromOtherNames) {
  EXPECT_EQ(step_of_name("step-12"), 12);
  for (const char* name : {"step-", "step-1x", "step-1.part", "xstep-1", "step--1", "1", ""}) {
    EXPECT_EQ(step_of_name(name), std::nullopt) << name;
  }
}

TEST_F(CheckpointStoreTest, ADamagedOneIsNamedAndTheOneBeforeTaken) {
  for (const int64_t step : {1, 2, 3}) save(step);
  write(folder_ / "checkpoints/step-3/weights", "weights of 4");
  fs::remove(folder_ / "checkpoints/step-2/weights");
  EXPECT_EQ(store_.newest_whole()->step, 1);
  ASSERT_THAT(warnings_, ElementsAre(HasSubstr("step-3"), HasSubstr("step-2")));
  EXPECT_THAT(warnings_[1], HasSubstr("weights is missing"));
  EXPECT_THAT(steps(), ElementsAre(3, 2, 1));  // left alone
}

TEST_F(CheckpointStoreTest, WhatFailsLeavesTheStoreAsItWas) {
  save(5);
  const auto fails = [](const fs::path& folder) {
    write(folder / "weights", "half");
    throw failed_error("no space");
  };
  EXPECT_THROW(store_.save(6, fails), Error);
  EXPECT_THROW(store_.save(5, fails), Error);
  EXPECT_EQ(read(folder_ / "checkpoints/step-5/weights"), "weights of 5");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_ / "checkpoints"), {}), 1);
}

TEST_F(CheckpointStoreTest, SavedAgainItTakesTheFirstsPlace) {
  save(5);
  write(folder_ / "checkpoints/step-5/weights", "damaged");
  save(5);
  EXPECT_EQ(find_damage(folder_ / "checkpoints/step-5"), "");
}

TEST_F(CheckpointStoreTest, KeepsTheLastAndTheBest) {
  const double losses[] = {5, 3, 4, 2, 6, 7};
  for (int64_t step = 1; step <= 6; ++step) save(step, losses[step - 1]);
  save(7);  // not evaluated: never the best
  EXPECT_EQ(store_.lowest_evaluation_loss(kAll), 2);
  store_.prune(kAll, -1, 0);
  EXPECT_EQ(steps().size(), 7u);
  store_.prune(kAll, 2, 2);
  EXPECT_THAT(steps(), ElementsAre(7, 6, 4, 2));
  store_.prune(kAll, 1, 0);
  EXPECT_THAT(steps(), ElementsAre(7));
  EXPECT_EQ(store_.lowest_evaluation_loss(kAll), std::numeric_limits<double>::infinity());
}

// Damaged ones beyond it neither count nor are the best.
TEST_F(CheckpointStoreTest, LaterStepsThanTheRunsAreLeftAlone) {
  const double losses[] = {5, 3, 4, 1};
  for (int64_t step = 1; step <= 4; ++step) save(step, losses[step - 1]);
  EXPECT_EQ(store_.lowest_evaluation_loss(3), 3);
  store_.prune(3, 1, 1);
  EXPECT_THAT(steps(), ElementsAre(4, 3, 2));
  store_.prune(3, 1, 0);
  EXPECT_THAT(steps(), ElementsAre(4, 3));
}

TEST_F(CheckpointStoreTest, ClearsWhatAKilledRunLeft) {
  for (const int64_t step : {1, 2, 3}) save(step);
  const fs::path checkpoints = folder_ / "checkpoints";
  fs::rename(checkpoints / "step-1", checkpoints / "step-1.gone");
  fs::rename(checkpoints / "step-2", checkpoints / "step-2.old");
  fs::copy(checkpoints / "step-3", checkpoints / "step-3.old");
  fs::create_directories(checkpoints / "step-4.part");
  fs::create_directories(checkpoints / "copies.old");  // someone else's
  store_.clear_leftovers();
  EXPECT_THAT(steps(), ElementsAre(3, 2));
  EXPECT_EQ(std::distance(fs::directory_iterator(checkpoints), {}), 3);
  EXPECT_TRUE(fs::exists(checkpoints / "copies.old"));
}

TEST_F(CheckpointStoreTest, HashListsNameNothingOutside) {
  save(1);
  const fs::path list = folder_ / "checkpoints/step-1" / kHashList;
  const std::string whole = read(list);
  EXPECT_EQ(find_damage(list.parent_path()), "");
  for (const std::string& bad :
       {std::string(), std::string("x"), std::string(64, 'a') + "  ../step-1/weights\n",
        std::string(64, 'g') + "  weights\n", std::string(64, 'a') + " weights\n"}) {
    write(list, bad);
    EXPECT_NE(find_damage(list.parent_path()), "") << bad;
  }
}

// The digest of FIPS 180-2, appendix B.1.
TEST_F(CheckpointStoreTest, HashesAreSha256) {
  write(folder_ / "abc", "abc");
  EXPECT_EQ(sha256_of_file(folder_ / "abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_THROW(sha256_of_file(folder_ / "none"), Error);
}

}  // namespace
}  // namespace m2::train
