#include "core/mapped_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <vector>

#include "core/error.h"
#include "core/text.h"

namespace m2 {
namespace {

TEST(MappedFile, ReadsAWholeFile) {
  const std::string path = testing::TempDir() + "mapped_file_test.txt";
  std::ofstream(path) << "seven b";
  const MappedFile file(path);
  EXPECT_EQ(file.bytes().size(), 7u);
  EXPECT_EQ(read_text_file(path, 7), "seven b");
  EXPECT_THROW(read_text_file(path, 6), Error);
}

TEST(MappedFile, NamesWhatCannotBeRead) {
  for (const std::string& path : {std::string("/no/such/file"), testing::TempDir()}) {
    try {
      const MappedFile file(path);
      FAIL() << path;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInput);
      EXPECT_NE(std::string(error.what()).find(path), std::string::npos);
    }
  }
}

TEST(MappedFile, ReleasingPagesChangesNothing) {
  const std::string path = testing::TempDir() + "mapped_file_release_test.bin";
  std::ofstream(path) << std::string(3 * 4096, 'x');
  const MappedFile file(path);
  file.release_pages(file.bytes().subspan(100, 8000));
  for (const std::byte byte : file.bytes()) ASSERT_EQ(byte, std::byte{'x'});
  const std::vector<std::byte> memory(3 * 4096, std::byte{7});
  file.release_pages(memory);  // no part of the mapping: must keep its contents
  for (const std::byte byte : memory) ASSERT_EQ(byte, std::byte{7});
}

TEST(Text, DecodesOnlyWellFormedUtf8) {
  EXPECT_EQ(find_invalid_utf8("a\u00e9\u4e2d\U0001F600"), std::string::npos);
  EXPECT_EQ(find_invalid_utf8("ab\xff"), 2u);
  EXPECT_EQ(find_invalid_utf8("\xc0\x80"), 0u);          // overlong
  EXPECT_EQ(find_invalid_utf8("\xed\xa0\x80"), 0u);      // surrogate
  EXPECT_EQ(find_invalid_utf8("\xf4\x90\x80\x80"), 0u);  // above U+10FFFF
  EXPECT_EQ(find_invalid_utf8("a\xe4\xb8"), 1u);         // cut
}

TEST(Text, PrintableKeepsOneLine) {
  EXPECT_EQ(printable("a\nb\x1b\xff"), "a\\x0ab\\x1b\\xff");
  EXPECT_EQ(printable("abcdef", 3), "abc…");
}

}  // namespace
}  // namespace m2
