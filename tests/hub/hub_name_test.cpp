#include "hub/hub_name.h"

#include <gtest/gtest.h>

#include <string>

namespace m2 {
namespace {

TEST(HubName, ARepositoryAndItsRevision) {
  const auto plain = parse_hub_name("org/m2-bert.80M");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->repository, "org/m2-bert.80M");
  EXPECT_EQ(plain->revision, "main");
  const auto tagged = parse_hub_name("bert@refs/pr/3");
  ASSERT_TRUE(tagged);
  EXPECT_EQ(tagged->repository, "bert");
  EXPECT_EQ(tagged->revision, "refs/pr/3");
  EXPECT_FALSE(parse_hub_name("org/model.safetensors"));
  EXPECT_FALSE(parse_hub_name("./model"));
}

TEST(HubName, FoldersOfTheCache) {
  EXPECT_EQ(cache_folder_name("org/name"), "models--org--name");
  EXPECT_EQ(cache_folder_name("name"), "models--name");
}

TEST(HubName, ACommitIsFortyDigits) {
  const std::string commit(40, 'a');
  EXPECT_TRUE(is_commit(commit));
  EXPECT_FALSE(is_commit(commit.substr(1)));
  EXPECT_FALSE(is_commit(commit + "a"));
  EXPECT_FALSE(is_commit(std::string(40, 'A')));
  EXPECT_FALSE(is_commit(commit.substr(1) + "g"));
}

TEST(HubName, FilesStayInTheirFolder) {
  for (const char* name : {"config.json", "2_Dense/model.safetensors", "..a", "a..b",
                           ".gitattributes", "a b.bin", "größe/ü.pt", "a/b/c/d"}) {
    EXPECT_TRUE(is_inner_path(name)) << name;
  }
  for (const char* name :
       {"", "/", "/etc/passwd", "..", "../x", "a/..", "a/../x", ".", "./x", "a/./b", "a//b", "a/",
        "a\\..\\b", "a\nb", "a\x7f", "\xff.bin", "a\x01"}) {
    EXPECT_FALSE(is_inner_path(name)) << name;
  }
  EXPECT_FALSE(is_inner_path(std::string_view("a\0b", 3)));
  EXPECT_TRUE(is_inner_path(std::string(255, 'a')));
  EXPECT_FALSE(is_inner_path(std::string(256, 'a')));
  std::string deep = "a";
  while (deep.size() <= 1024) deep += "/a";
  EXPECT_FALSE(is_inner_path(deep));
}

TEST(HubName, AnEtagIsAFilesName) {
  EXPECT_TRUE(is_plain_etag(std::string(64, 'a')));
  EXPECT_TRUE(is_plain_etag("d41d8cd98f00b204e9800998ecf8427e-38"));
  for (const char* etag :
       {"", ".", "..", "../a", "a/b", "a b", "\"a\"", "a\n", "a.incomplete", ".a"}) {
    EXPECT_FALSE(is_plain_etag(etag)) << etag;
  }
  EXPECT_FALSE(is_plain_etag(std::string(129, 'a')));
}

}  // namespace
}  // namespace m2
