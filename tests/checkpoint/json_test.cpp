#include "checkpoint/json.h"

#include "checkpoint/test_files.h"

namespace m2 {
namespace {

using testing::HasSubstr;

std::string refusal_of(const std::string& text) {
  return refusal([&] { parse_json(text, "f.json"); });
}

TEST(Json, ParsesWhatIsSound) {
  const auto value = parse_json(R"({"a": {"b": [1, 2.5, "x", null]}, "b": {"a": true}})", "f.json");
  EXPECT_EQ(value["a"]["b"][1], 2.5);
  EXPECT_EQ(value["b"]["a"], true);
}

TEST(Json, RefusesDoubleKeysButOnlyInOneObject) {
  EXPECT_THAT(refusal_of(R"({"a": 1, "a": 2})"), HasSubstr("\"a\" is there twice"));
  EXPECT_THAT(refusal_of(R"({"x": [{"a": 1, "b": {}, "a": 2}]})"), HasSubstr("twice"));
  EXPECT_NO_THROW(parse_json(R"([{"a": 1}, {"a": 1}, {"b": {"a": 1}, "a": 2}])", "f"));
}

TEST(Json, LimitsTheDepth) {
  const auto nested = [](size_t levels) {
    return std::string(levels, '[') + std::string(levels, ']');
  };
  EXPECT_NO_THROW(parse_json(nested(kMaxJsonDepth), "f"));
  EXPECT_THAT(refusal_of(nested(kMaxJsonDepth + 1)), HasSubstr("nested deeper than 64"));
  EXPECT_THAT(refusal_of(std::string(100'000, '[')), HasSubstr("nested deeper"));
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  EXPECT_THAT(refusal_of(objects), HasSubstr("nested deeper"));
}

TEST(Json, RefusesWhatIsNoJson) {
  for (const std::string& text :
       {std::string(), std::string("{"), std::string("{\"a\"}"), std::string("{} x"),
        std::string("{'a': 1}"), std::string("[1,]"), std::string("nan"), std::string("1e999"),
        std::string("\"\xff\""), std::string("{}\0", 3), std::string("\"\n\x1b[2J\"")}) {
    EXPECT_THAT(refusal_of(text), HasSubstr("f.json: is no valid JSON"));
  }
}

TEST(Json, HoldsEveryFileNameAsAnother) {
  EXPECT_EQ(json_file_name("caf\u00e9\n"), "caf\u00e9\n");
  EXPECT_EQ(json_file_name("caf\xe9.txt"), "caf\\xe9.txt");
  EXPECT_EQ(json_file_name("caf\\xe9.txt"), "caf\\\\xe9.txt");
  EXPECT_EQ(json_file_name("\xe4\xb8"), "\\xe4\\xb8");  // a sequence that is cut
  EXPECT_EQ(json_file_name(""), "");
}

TEST(Json, ReadsObjectFiles) {
  const TestFolder folder;
  EXPECT_EQ(read_json_object(folder.write("a.json", R"({"a": 1})"))["a"], 1);
  const std::string array = folder.write("b.json", "[]");
  EXPECT_THAT(refusal([&] { read_json_object(array); }), HasSubstr("object"));
  EXPECT_THAT(refusal([&] { read_json_object(folder.path("none.json")); }), HasSubstr("none.json"));
}

}  // namespace
}  // namespace m2
