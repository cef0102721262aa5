#include "train/checkpoints/run_folder.h"

#include <gmock/gmock.h>

#include "core/error.h"
#include "train/checkpoints/test_folder.h"

namespace m2::train {
namespace {

namespace fs = std::filesystem;
using Existing = RunFolder::Existing;

class RunFolderTest : public FolderTest {};

ErrorKind kind_of_error(const std::string& path, Existing existing) {
  try {
    const RunFolder folder(path, existing);
  } catch (const Error& error) {
    return error.kind();
  }
  return ErrorKind{0};
}

TEST_F(RunFolderTest, HeldByOneAtATime) {
  const std::string path = (folder_ / "a/run").string();
  {
    const RunFolder held(path, Existing::kRefuse);
    EXPECT_EQ(kind_of_error(path, Existing::kKeep), ErrorKind::kFailed);
  }
  EXPECT_EQ(kind_of_error(path, Existing::kKeep), ErrorKind{0});
}

TEST_F(RunFolderTest, ARunThatIsThereIsNotTouchedUnasked) {
  const fs::path run = folder_ / "run";
  fs::create_directories(run / "checkpoints/step-1");
  write(run / "notes.txt", "mine");
  EXPECT_EQ(kind_of_error(run.string(), Existing::kRefuse), ErrorKind::kUsage);
  EXPECT_EQ(kind_of_error(run.string(), Existing::kKeep), ErrorKind{0});
  EXPECT_TRUE(fs::exists(run / "checkpoints/step-1"));
  RunFolder(run.string(), Existing::kKeep).empty();
  EXPECT_FALSE(fs::exists(run / "checkpoints"));
  EXPECT_TRUE(fs::exists(run / "notes.txt"));  // of no run
}

TEST_F(RunFolderTest, ClearsLeftoversOfItsOwnAlone) {
  const fs::path run = folder_ / "run";
  fs::create_directories(run / "model.part");
  fs::create_directories(run / "vocabulary.old");
  fs::create_directories(run / "data.old");
  write(run / "config.yaml.12-1.part", "half");
  write(run / "metrics.jsonl.12-2.part", "half");
  write(run / "film.part", "mine");
  const RunFolder folder(run.string(), Existing::kKeep);
  EXPECT_FALSE(fs::exists(run / "model.part"));
  EXPECT_FALSE(fs::exists(run / "config.yaml.12-1.part"));
  EXPECT_FALSE(fs::exists(run / "metrics.jsonl.12-2.part"));
  EXPECT_TRUE(fs::exists(run / "vocabulary"));
  EXPECT_TRUE(fs::exists(run / "data.old"));
  EXPECT_TRUE(fs::exists(run / "film.part"));
}

TEST_F(RunFolderTest, VocabulariesGetTheNamesOfAModelFolder) {
  write(folder_ / "words-1.txt", "[PAD]\n");
  write(folder_ / "fast.json", "{}");
  const fs::path kept = folder_ / "kept";
  EXPECT_THAT(keep_vocabulary((folder_ / "words-1.txt").string(), kept),
              testing::ElementsAre((kept / "vocab.txt").string()));
  EXPECT_EQ(read(kept / "vocab.txt"), "[PAD]\n");
  EXPECT_THAT(keep_vocabulary((folder_ / "fast.json").string(), kept),
              testing::ElementsAre((kept / "tokenizer.json").string()));
  EXPECT_FALSE(fs::exists(kept / "vocab.txt"));
  // Its own copies, as a resumed run may name them.
  EXPECT_THAT(keep_vocabulary(kept.string(), kept),
              testing::ElementsAre((kept / "tokenizer.json").string()));
  EXPECT_EQ(read(kept / "tokenizer.json"), "{}");
}

}  // namespace
}  // namespace m2::train
