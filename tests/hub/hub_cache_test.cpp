#include "hub/hub_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include "core/error.h"

namespace m2 {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

const std::string kCommit = "0123456789abcdef0123456789abcdef01234567";
const std::string kOther = "fedcba9876543210fedcba9876543210fedcba98";
constexpr const char* kVariables[] = {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME",
                                      "XDG_CACHE_HOME", "HOME"};

void write(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

// A cache of its own for each test, named by HF_HUB_CACHE, in the working directory of its own.
class HubCache : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : kVariables) {
      const char* value = std::getenv(name);
      if (value != nullptr) kept_[name] = value;
      unsetenv(name);
    }
    root_ = fs::path(testing::TempDir()) /
            testing::UnitTest::GetInstance()->current_test_info()->name();
    fs::remove_all(root_);
    fs::create_directories(root_ / "work");
    fs::current_path(root_ / "work");
    setenv("HF_HUB_CACHE", (root_ / "hub").c_str(), 1);
  }

  void TearDown() override {
    fs::current_path("/");
    fs::remove_all(root_);
    for (const char* name : kVariables) {
      unsetenv(name);
      if (kept_.contains(name)) setenv(name, kept_[name].c_str(), 1);
    }
  }

  fs::path model(const std::string& folder = "models--org--m2-bert.80M") const {
    return root_ / "hub" / folder;
  }

  fs::path snapshot(const std::string& commit = kCommit) const {
    return model() / "snapshots" / commit;
  }

  // A file of a snapshot as huggingface_hub lays it out: a link to a blob.
  void link_file(const fs::path& folder, const std::string& name) {
    write(model() / "blobs" / "b10b", "weights");
    fs::create_directories(folder);
    fs::create_symlink("../../blobs/b10b", folder / name);
  }

  void make_snapshot(const std::string& ref = "main", const std::string& commit = kCommit) {
    if (!ref.empty()) write(model() / "refs" / ref, commit);
    link_file(snapshot(commit), "model.safetensors");
  }

  std::string refusal(const std::string& model_id) {
    try {
      const std::string found = find_model(model_id);
      ADD_FAILURE() << model_id << " is " << found;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInput);
      EXPECT_THAT(error.what(), Not(HasSubstr("\n")));
      return error.what();
    }
    return "";
  }

  fs::path root_;
  std::map<std::string, std::string> kept_;
};

TEST_F(HubCache, ANameIsItsSnapshot) {
  make_snapshot();
  EXPECT_EQ(find_model("org/m2-bert.80M"), snapshot());
  EXPECT_EQ(find_model("org/m2-bert.80M@main"), snapshot());
  EXPECT_EQ(find_model("org/m2-bert.80M@" + kCommit), snapshot());
}

TEST_F(HubCache, ANameWithoutAnOrganisation) {
  write(root_ / "hub/models--bert_base/refs/main", kCommit + "\n");
  write(root_ / "hub/models--bert_base/snapshots" / kCommit / "pytorch_model.bin", "x");
  EXPECT_EQ(find_model("bert_base"), root_ / "hub/models--bert_base/snapshots" / kCommit);
}

TEST_F(HubCache, RevisionsAreToldApart) {
  make_snapshot();
  make_snapshot("refs/pr/3", kOther);
  make_snapshot("v1.0", kOther.substr(0, 39) + "0");
  EXPECT_EQ(find_model("org/m2-bert.80M@refs/pr/3"), snapshot(kOther));
  EXPECT_EQ(find_model("org/m2-bert.80M@v1.0"), snapshot(kOther.substr(0, 39) + "0"));
  EXPECT_EQ(find_model("org/m2-bert.80M"), snapshot(kCommit));
}

TEST_F(HubCache, WhatExistsOnDiskWins) {
  make_snapshot();
  fs::create_directories("org/m2-bert.80M");
  EXPECT_EQ(find_model("org/m2-bert.80M"), "org/m2-bert.80M");
}

TEST_F(HubCache, WhatCannotBeANameStaysAPath) {
  for (const char* path : {"/no/where", "./a", "../a/b", "a/b/c", "a/", "a//b", ".hidden", "a/..",
                           "a--b/c", "org/x.git", "org/model.safetensors", "pytorch_model.bin",
                           "org/-x", "org/x y", "org\\x", "über/x"}) {
    EXPECT_EQ(find_model(path), path);
  }
  EXPECT_EQ(find_model(std::string(97, 'a')), std::string(97, 'a'));
}

TEST_F(HubCache, ABadRevisionIsRefused) {
  make_snapshot();
  write(model() / "secret", kCommit);
  for (const char* revision :
       {"", "../secret", "a/../b", "/etc/passwd", "a//b", "a/", ".", "..", "a b", "a\nb", "a\\b"}) {
    EXPECT_THAT(refusal("org/m2-bert.80M@" + std::string(revision)), HasSubstr("revision"));
  }
}

TEST_F(HubCache, WhatIsMissingSaysHowToGetIt) {
  EXPECT_THAT(refusal("org/m2-bert.80M"), testing::AllOf(HasSubstr(model().string()),
                                                         HasSubstr("hf download org/m2-bert.80M")));
  make_snapshot();
  EXPECT_THAT(
      refusal("org/m2-bert.80M@v2"),
      testing::AllOf(HasSubstr("refs/v2"), HasSubstr("hf download org/m2-bert.80M --revision v2")));
  EXPECT_THAT(refusal("org/m2-bert.80M@" + kOther), HasSubstr(snapshot(kOther).string()));
  write(model() / "refs/main", kOther);
  EXPECT_THAT(refusal("org/m2-bert.80M"), HasSubstr("no snapshot"));
}

TEST_F(HubCache, ARefHoldsACommitAndNoPath) {
  make_snapshot("");
  for (const std::string& text : {std::string("../../../etc"), std::string(), kCommit + "/..",
                                  kCommit.substr(1), std::string("main")}) {
    write(model() / "refs/main", text);
    EXPECT_THAT(refusal("org/m2-bert.80M"), HasSubstr("no commit"));
  }
}

TEST_F(HubCache, ASnapshotWithoutWeightsIsRefused) {
  write(model() / "refs/main", kCommit);
  link_file(snapshot(), "config.json");
  EXPECT_THAT(refusal("org/m2-bert.80M"), HasSubstr("no weights"));
  // A link whose blob is gone is no weight.
  fs::create_symlink("../../blobs/gone", snapshot() / "model.safetensors");
  EXPECT_THAT(refusal("org/m2-bert.80M"), HasSubstr("no weights"));
  link_file(snapshot(), "8k_checkpoint_model.safetensors");
  EXPECT_EQ(find_model("org/m2-bert.80M"), snapshot());
}

TEST_F(HubCache, TheFolderFollowsTheVariables) {
  unsetenv("HF_HUB_CACHE");
  setenv("HOME", "/home/someone", 1);
  EXPECT_EQ(hub_cache_folder(), "/home/someone/.cache/huggingface/hub");
  setenv("XDG_CACHE_HOME", "/caches", 1);
  EXPECT_EQ(hub_cache_folder(), "/caches/huggingface/hub");
  setenv("HF_HOME", "~/hf", 1);
  EXPECT_EQ(hub_cache_folder(), "/home/someone/hf/hub");
  setenv("HUGGINGFACE_HUB_CACHE", "/old", 1);
  EXPECT_EQ(hub_cache_folder(), "/old");
  setenv("HF_HUB_CACHE", "/new", 1);
  EXPECT_EQ(hub_cache_folder(), "/new");
  setenv("HF_HUB_CACHE", "", 1);
  EXPECT_EQ(hub_cache_folder(), "/old");
}

}  // namespace
}  // namespace m2
