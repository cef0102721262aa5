#include "checkpoint/safetensors.h"

#include <sys/resource.h>

#include <csignal>

#include "checkpoint/test_files.h"

namespace m2 {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kTwo =
    R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
    R"("b":{"dtype":"I64","shape":[],"data_offsets":[24,32]}} )";

std::string two_tensors() {
  return safetensors(kTwo, floats(6) + raw(int64_t{7}));
}

std::string refusal_of(const std::string& bytes) {
  return refusal([&] { SafetensorsFile(as_span(bytes), "f.safetensors"); });
}

// A file of one tensor "a" with that description.
std::string refusal_of_entry(const std::string& entry, size_t data_bytes) {
  return refusal_of(safetensors("{\"a\":{" + entry + "}}", std::string(data_bytes, '\0')));
}

TEST(Safetensors, ReadsInPlace) {
  const TestFolder folder;
  const SafetensorsFile file(folder.write("a.safetensors", two_tensors()));
  EXPECT_THAT(file.names(), ElementsAre("a", "b"));
  EXPECT_EQ(file.metadata().at("format"), "pt");
  EXPECT_EQ(file.find("a")->dtype, DType::kF32);
  EXPECT_THAT(file.find("a")->shape, ElementsAre(2, 3));
  EXPECT_EQ(bytes_of(file.find("a")), floats(6));
  EXPECT_TRUE(file.find("b")->shape.empty());
  EXPECT_EQ(bytes_of(file.find("b")), raw(int64_t{7}));
  EXPECT_EQ(file.find("c"), nullptr);
}

TEST(Safetensors, RefusesEveryCut) {
  const std::string whole = two_tensors();
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_THAT(refusal_of(whole.substr(0, size)), HasSubstr("f.safetensors")) << size;
  }
}

TEST(Safetensors, SurvivesEveryFlippedBit) {
  const std::string whole = two_tensors();
  size_t taken = 0;
  for_each_flip(whole, 8 + std::string(kTwo).size(), [&](const std::string& bytes) {
    taken += takes([&] { touch_all(SafetensorsFile(as_span(bytes), "f")); });
  });
  // A flip inside a name or the metadata is no damage that can be seen.
  EXPECT_GT(taken, 0u);
  EXPECT_LT(taken, 200u);
}

TEST(Safetensors, LimitsTheHeader) {
  EXPECT_THAT(refusal_of(raw(uint64_t{100'000'001}) + "{}"), HasSubstr("100 MB"));
  EXPECT_THAT(refusal_of(raw(~uint64_t{0}) + "{}"), HasSubstr("100 MB"));
  EXPECT_THAT(refusal_of(raw(uint64_t{3}) + "{}"), HasSubstr("cut short"));
  EXPECT_THAT(refusal_of(safetensors("[]", "")), HasSubstr("no JSON object"));
  EXPECT_THAT(refusal_of(safetensors("\xef\xbb\xbf{}", "")), HasSubstr("no JSON object"));
  EXPECT_THAT(refusal_of(safetensors(std::string("{}\0\0", 4), "")), HasSubstr("no JSON object"));
  EXPECT_THAT(refusal_of(safetensors("{}{}", "")), HasSubstr("no valid JSON"));
}

TEST(Safetensors, SurvivesDeepNesting) {
  for (const char* open : {"[", R"({"shape":)"}) {
    std::string deep = R"({"a":)";
    for (int i = 0; i < 100'000; ++i) deep += open;
    EXPECT_THAT(refusal_of(safetensors(deep, "")), HasSubstr("where the format has none"));
  }
}

TEST(Safetensors, RefusesShapesThatLie) {
  EXPECT_THAT(refusal_of_entry(R"("dtype":"F32","shape":[3],"data_offsets":[0,8])", 8),
              HasSubstr("12 bytes, but has 8"));
  EXPECT_THAT(refusal_of_entry(R"("dtype":"F32","shape":[-2],"data_offsets":[0,8])", 8),
              HasSubstr("negative"));
  EXPECT_THAT(refusal_of_entry(R"("dtype":"F32","shape":[2.0],"data_offsets":[0,8])", 8),
              HasSubstr("fraction"));
  // 2^32 * 2^32 * 4 is 0 modulo 2^64; a zero among the extents must not hide the overflow.
  for (const char* shape :
       {"[4294967296,4294967296]", "[0,4611686018427387904,8]", "[4611686018427387904,8,0]"}) {
    const std::string entry =
        std::string(R"("dtype":"F32","shape":)") + shape + R"(,"data_offsets":[0,0])";
    EXPECT_THAT(refusal_of_entry(entry, 0), HasSubstr("impossible shape"));
  }
  EXPECT_THAT(
      refusal_of_entry(R"("dtype":"U8","shape":[18446744073709551615],"data_offsets":[0,0])", 0),
      HasSubstr("impossible shape"));
}

TEST(Safetensors, RefusesOffsetsThatLie) {
  EXPECT_THAT(refusal_of_entry(R"("dtype":"U8","shape":[4],"data_offsets":[0,5])", 4),
              HasSubstr("outside"));
  EXPECT_THAT(refusal_of_entry(R"("dtype":"U8","shape":[4],"data_offsets":[4,0])", 4),
              HasSubstr("outside"));
  EXPECT_THAT(refusal_of_entry(R"("dtype":"U8","shape":[2],"data_offsets":[2,4])", 4),
              HasSubstr("after a gap"));
  EXPECT_THAT(refusal_of_entry(R"("dtype":"U8","shape":[2],"data_offsets":[0,2])", 4),
              HasSubstr("belong to no tensor"));
  EXPECT_THAT(refusal_of_entry(R"("dtype":"U8","shape":[2],"data_offsets":[0,2,4])", 4),
              HasSubstr("two numbers"));
  const std::string overlap = R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},)"
                              R"("b":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}})";
  EXPECT_THAT(refusal_of(safetensors(overlap, "1234")), HasSubstr("inside another"));
}

TEST(Safetensors, TakesEmptyTensorsAnywhere) {
  const std::string header = R"({"none":{"dtype":"F32","shape":[0,5],"data_offsets":[2,2]},)"
                             R"("a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
                             R"("b":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}})";
  const std::string bytes = safetensors(header, "1234");
  const SafetensorsFile file(as_span(bytes), "f");
  EXPECT_THAT(file.names(), ElementsAre("none", "a", "b"));
  EXPECT_EQ(bytes_of(file.find("none")), "");
  EXPECT_TRUE(SafetensorsFile(as_span(safetensors("{}", "")), "f").names().empty());
}

TEST(Safetensors, RefusesWhatTheFormatHasNot) {
  EXPECT_THAT(refusal_of_entry(R"("dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4])", 4),
              HasSubstr("F8_E4M3"));
  EXPECT_THAT(refusal_of_entry(R"("dtype":"U8","shape":[4])", 4), HasSubstr("data_offsets"));
  EXPECT_THAT(refusal_of_entry(R"("dtype":"U8","dtype":"U8","shape":[4],"data_offsets":[0,4])", 4),
              HasSubstr("twice"));
  EXPECT_THAT(refusal_of_entry(R"("dtype":"U8","shape":[4],"data_offsets":[0,4],"x":1)", 4),
              HasSubstr("unknown field"));
  EXPECT_THAT(refusal_of_entry(R"("dtype":7,"shape":[4],"data_offsets":[0,4])", 4),
              HasSubstr("a number"));
  EXPECT_THAT(refusal_of(safetensors(R"({"a":null})", "")), HasSubstr("null"));
  EXPECT_THAT(refusal_of(safetensors(R"({"__metadata__":{"a":1}})", "")), HasSubstr("a number"));
  EXPECT_THAT(refusal_of(safetensors(R"({"__metadata__":{"a":{}}})", "")), HasSubstr("an object"));
  EXPECT_THAT(refusal_of(safetensors(R"({"__metadata__":{"a":"","a":""}})", "")),
              HasSubstr("twice"));
  EXPECT_THAT(refusal_of(safetensors(R"({"__metadata__":{},"__metadata__":{}})", "")),
              HasSubstr("two"));
}

TEST(Safetensors, RefusesANameTwice) {
  const std::string header = R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
                             R"("a":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}})";
  EXPECT_THAT(refusal_of(safetensors(header, "1234")), HasSubstr("\"a\" is there twice"));
}

TEST(Safetensors, ErrorsStayOnOneLine) {
  EXPECT_THAT(refusal_of(safetensors("{\"a\\n\\u001b[31m\":{\"dtype\":\"\\n\"", "")),
              HasSubstr("\\x0a"));
}

TEST(WriteSafetensors, IsReadBack) {
  const TestFolder folder;
  const std::string path = folder.path("out.safetensors");
  const std::string halves = "123456", doubles = raw(1.5) + raw(2.5);
  const std::vector<NamedTensor> tensors = {{"half \"x\"\n", {DType::kF16, {3}, halves.data()}},
                                            {"none", {DType::kI32, {2, 0}, nullptr}},
                                            {"double", {DType::kF64, {1, 2}, doubles.data()}}};
  write_safetensors(path, tensors, {{"format", "pt"}});
  const SafetensorsFile file(path);
  // Widest first, so that each lies aligned.
  EXPECT_THAT(file.names(), ElementsAre("double", "none", "half \"x\"\n"));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(file.find("double")->data) % sizeof(double), 0u);
  EXPECT_EQ(bytes_of(file.find("double")), doubles);
  EXPECT_EQ(bytes_of(file.find("half \"x\"\n")), halves);
  EXPECT_THAT(file.find("none")->shape, ElementsAre(2, 0));
  EXPECT_EQ(file.metadata().at("format"), "pt");
}

TEST(WriteSafetensors, LeavesNothingWhenTheDiskIsFull) {
  const TestFolder folder;
  const std::string path = folder.write("out.safetensors", "the old file");
  const std::string data(100'000, 'x');
  const std::vector<NamedTensor> tensors = {{"a", {DType::kU8, {100'000}, data.data()}}};
  rlimit old_limit{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old_limit), 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = old_limit;
  small.rlim_cur = 5'000;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  std::string message;
  try {
    write_safetensors(path, tensors);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kFailed);
    message = error.what();
  }
  setrlimit(RLIMIT_FSIZE, &old_limit);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_THAT(message, HasSubstr(path));
  std::string kept;
  std::getline(std::ifstream(path), kept);
  EXPECT_EQ(kept, "the old file");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(WriteSafetensors, NamesAFolderThatIsMissing) {
  try {
    write_safetensors("/no/such/folder/x.safetensors", {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kFailed);
    EXPECT_THAT(error.what(), HasSubstr("/no/such/folder/x.safetensors"));
  }
}

}  // namespace
}  // namespace m2
