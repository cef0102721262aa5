#include "documents/input_files.h"

#include "checkpoint/test_files.h"
#include "core/log.h"

namespace m2 {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> names_below(const TestFolder& folder,
                                     const std::vector<std::string>& inputs) {
  std::vector<std::string> names;
  for (const InputFile& file : list_input_files(inputs)) {
    names.push_back(std::filesystem::relative(file.path, folder.path()).string());
  }
  return names;
}

TEST(InputFiles, AreToldApartByTheirNames) {
  const TestFolder folder;
  const auto kind = [&](const std::string& name) {
    const InputFile file = list_input_files({folder.write(name, "abc")}).front();
    EXPECT_EQ(file.bytes, 3u);
    return std::pair(file.format, file.compression);
  };
  using enum DocumentFormat;
  using enum Compression;
  EXPECT_EQ(kind("a.txt"), std::pair(kText, kNone));
  EXPECT_EQ(kind("a.md"), std::pair(kText, kNone));
  EXPECT_EQ(kind("a"), std::pair(kText, kNone));
  EXPECT_EQ(kind("a.jsonl"), std::pair(kJsonLines, kNone));
  EXPECT_EQ(kind("a.ndjson.gz"), std::pair(kJsonLines, kGzip));
  EXPECT_EQ(kind("c4.00000-of-01024.json.zst"), std::pair(kJsonLines, kZstd));
  EXPECT_EQ(kind("a.txt.gz"), std::pair(kText, kGzip));
  EXPECT_EQ(kind("a.jsonl.txt"), std::pair(kText, kNone));
}

TEST(InputFiles, OfAFolderAreSortedAndOfKnownKinds) {
  const TestFolder folder;
  for (const char* name : {"b", "a/deep", ".hidden", "a-b"}) {
    std::filesystem::create_directories(folder.path(name));
  }
  for (const char* name : {"b/2.txt", "b/10.txt", "a/deep/x.jsonl.zst", "a/y.text", ".hidden/z.txt",
                           "a-b/k.json.gz", ".dot.txt", "b/picture.png", "b/README"}) {
    folder.write(name, "");
  }
  std::vector<std::string> warnings;
  set_log_sink([&](LogLevel, const std::string& message) { warnings.push_back(message); });
  const std::vector<std::string> names = names_below(folder, {folder.path()});
  set_log_sink({});
  EXPECT_THAT(
      names, ElementsAre("a-b/k.json.gz", "a/deep/x.jsonl.zst", "a/y.text", "b/10.txt", "b/2.txt"));
  EXPECT_THAT(warnings, ElementsAre(testing::AllOf(HasSubstr("2 files of other kinds"),
                                                   HasSubstr("b/README"))));
}

TEST(InputFiles, KeepTheOrderOfTheInputs) {
  const TestFolder folder;
  std::filesystem::create_directories(folder.path("a"));
  const std::string z = folder.write("z.txt", ""), y = folder.write("a/y.txt", "");
  EXPECT_THAT(names_below(folder, {z, folder.path("a"), z}),
              ElementsAre("z.txt", "a/y.txt", "z.txt"));
}

TEST(InputFiles, RefuseWhatIsNotThere) {
  const TestFolder folder;
  EXPECT_THAT(refusal([&] { list_input_files({folder.path("none.txt")}); }),
              HasSubstr("none.txt: cannot be read: No such file"));
  EXPECT_THAT(refusal([&] { list_input_files({folder.path()}); }), HasSubstr("holds no text"));
}

}  // namespace
}  // namespace m2
