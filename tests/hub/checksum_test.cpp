#include "hub/checksum.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <string>

#include "core/error.h"

namespace m2 {
namespace {

std::string file_of(const std::string& contents) {
  const std::string path = testing::TempDir() + "checksum_test_file";
  std::ofstream(path, std::ios::binary) << contents;
  return path;
}

// FIPS 180-2's examples, and what `git hash-object` prints.
constexpr char kSha256OfAbc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
constexpr char kSha256OfNothing[] =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr char kSha256OfMillionA[] =
    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
constexpr char kGitBlobOfHello[] = "ce013625030ba8dba906f756967f9e9ca394464a";
constexpr char kGitBlobOfNothing[] = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";

TEST(Checksum, Sha256) {
  EXPECT_TRUE(agrees_with_etag(file_of("abc"), kSha256OfAbc, {}));
  EXPECT_TRUE(agrees_with_etag(file_of(""), kSha256OfNothing, {}));
  EXPECT_TRUE(agrees_with_etag(file_of(std::string(1'000'000, 'a')), kSha256OfMillionA, {}));
  EXPECT_FALSE(agrees_with_etag(file_of("abd"), kSha256OfAbc, {}));
  EXPECT_FALSE(agrees_with_etag(file_of(""), kSha256OfAbc, {}));
}

TEST(Checksum, GitBlob) {
  EXPECT_TRUE(agrees_with_etag(file_of("hello\n"), kGitBlobOfHello, {}));
  EXPECT_TRUE(agrees_with_etag(file_of(""), kGitBlobOfNothing, {}));
  EXPECT_FALSE(agrees_with_etag(file_of("hello"), kGitBlobOfHello, {}));
  // SHA-1 of the bytes alone is another number.
  EXPECT_FALSE(agrees_with_etag(file_of("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d", {}));
}

TEST(Checksum, OtherEtagsAreNone) {
  for (const char* etag : {"", "abc-7", "ba7816bf8f01cfea414140de5dae2223b00361a3961"}) {
    EXPECT_TRUE(agrees_with_etag(file_of("anything"), etag, {})) << etag;
  }
  EXPECT_TRUE(agrees_with_etag(file_of("x"), std::string(64, 'g'), {}));
}

TEST(Checksum, StopsWhenAskedTo) {
  EXPECT_THROW(agrees_with_etag(file_of("abc"), kSha256OfAbc, [] { return true; }), Error);
  EXPECT_THROW(agrees_with_etag("/no/such/file", kSha256OfAbc, {}), Error);
}

}  // namespace
}  // namespace m2
