#include "hub/blob_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace m2 {
namespace {

namespace fs = std::filesystem;

constexpr char kSha256OfAbc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

class BlobFileTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) / "blob_file_test";
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string blob() const { return (folder_ / "blob").string(); }
  bool has(const char* name) const { return fs::exists(folder_ / name); }
  std::string bytes(const char* name) const {
    std::ifstream file(folder_ / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  fs::path folder_;
};

TEST_F(BlobFileTest, AppearsUnderItsNameWhenItIsWhole) {
  std::vector<uint64_t> seen;
  BlobFile file(blob(), {"name", kSha256OfAbc, 3}, [&](uint64_t count) { seen.push_back(count); });
  file.write("a");
  file.write("bc");
  EXPECT_TRUE(file.is_full());
  EXPECT_FALSE(has("blob"));
  file.finish({});
  EXPECT_EQ(bytes("blob"), "abc");
  EXPECT_FALSE(has("blob.incomplete"));
  EXPECT_THAT(seen, testing::ElementsAre(1, 3));
}

TEST_F(BlobFileTest, GoesOnWhereAnEarlierOneEnded) {
  BlobFile(blob(), {"name", kSha256OfAbc, 3}, {}).write("ab");
  BlobFile file(blob(), {"name", kSha256OfAbc, 3}, {});
  EXPECT_EQ(file.offset(), 2);
  file.write("c");
  file.finish({});
  EXPECT_EQ(bytes("blob"), "abc");
}

TEST_F(BlobFileTest, RestartsFromNothing) {
  BlobFile file(blob(), {"name", kSha256OfAbc, 3}, {});
  file.write("xy");
  file.restart();
  EXPECT_EQ(file.offset(), 0);
  file.write("abc");
  file.finish({});
  EXPECT_EQ(bytes("blob"), "abc");
}

TEST_F(BlobFileTest, WhatCannotBecomeRightIsRemoved) {
  {
    BlobFile file(blob(), {"name", kSha256OfAbc, 3}, {});
    EXPECT_THROW(file.write("abcd"), Error);
  }
  EXPECT_FALSE(has("blob.incomplete"));
  {
    BlobFile file(blob(), {"name", kSha256OfAbc, 3}, {});
    file.write("ab");
    EXPECT_THROW(file.finish({}), Error);
  }
  EXPECT_FALSE(has("blob.incomplete"));
  {
    BlobFile file(blob(), {"name", kSha256OfAbc, 3}, {});
    file.write("abd");
    EXPECT_THROW(file.finish({}), Error);
  }
  EXPECT_FALSE(has("blob.incomplete"));
  EXPECT_FALSE(has("blob"));
}

TEST_F(BlobFileTest, MoreThanAnnouncedIsLeftFromAnotherFile) {
  std::ofstream(blob() + ".incomplete") << "abcdef";
  const BlobFile file(blob(), {"name", kSha256OfAbc, 3}, {});
  EXPECT_EQ(file.offset(), 0);
}

TEST_F(BlobFileTest, AnInterruptedCheckKeepsWhatCame) {
  BlobFile file(blob(), {"name", kSha256OfAbc, 3}, {});
  file.write("abc");
  EXPECT_THROW(file.finish([] { return true; }), Error);
  EXPECT_EQ(bytes("blob.incomplete"), "abc");
}

TEST_F(BlobFileTest, FollowsNoLink) {
  fs::create_symlink(folder_ / "elsewhere", blob() + ".incomplete");
  EXPECT_THROW(BlobFile(blob(), {"name", kSha256OfAbc, 3}, {}), Error);
  EXPECT_FALSE(has("elsewhere"));
}

}  // namespace
}  // namespace m2
