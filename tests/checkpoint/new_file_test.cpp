#include "checkpoint/new_file.h"

#include "checkpoint/test_files.h"
#include "core/mapped_file.h"

namespace m2 {
namespace {

size_t files_in(const TestFolder& folder) {
  return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder.path()), {}));
}

TEST(NewFile, AppearsAtCommit) {
  const TestFolder folder;
  const std::string path = folder.path("out");
  NewFile file(path);
  file.write(as_span("one "));
  file.write({});
  file.write(as_span("two"));
  EXPECT_FALSE(std::filesystem::exists(path));
  file.commit();
  EXPECT_EQ(read_text_file(path, 100), "one two");
  EXPECT_EQ(files_in(folder), 1u);
}

TEST(NewFile, LeavesTheOldFileWithoutCommit) {
  const TestFolder folder;
  const std::string path = folder.write("out", "old");
  {
    NewFile file(path);
    file.write(as_span("new"));
    EXPECT_EQ(files_in(folder), 2u);
  }
  EXPECT_EQ(read_text_file(path, 100), "old");
  EXPECT_EQ(files_in(folder), 1u);
}

TEST(NewFile, TwoWritersDoNotMeet) {
  const TestFolder folder;
  const std::string path = folder.path("out");
  NewFile first(path), second(path);
  first.write(as_span("first"));
  second.write(as_span("second"));
  second.commit();
  first.commit();
  EXPECT_EQ(read_text_file(path, 100), "first");
  EXPECT_EQ(files_in(folder), 1u);
}

TEST(NewFile, NamesAPathThatCannotBeWritten) {
  const TestFolder folder;
  const std::string taken = folder.path("folder");
  std::filesystem::create_directories(taken + "/inner");
  try {
    NewFile file(taken);
    file.commit();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kFailed);
    EXPECT_THAT(error.what(), testing::HasSubstr(taken));
  }
  EXPECT_EQ(files_in(folder), 1u);
}

}  // namespace
}  // namespace m2
