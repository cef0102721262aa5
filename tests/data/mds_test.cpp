#include "data/mds.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/log.h"
#include "data/data_files.h"
#include "documents/document_files.h"

namespace m2 {
namespace {

using testing::HasSubstr;
using Json = nlohmann::json;

// A shard whose samples are the columns id (8 bytes), text and meta, put together as the format's
// description has it.
std::string mds_shard(const std::vector<std::string>& texts, const std::string& config = "{}") {
  std::vector<std::string> samples;
  for (const std::string& text : texts) {
    const std::string meta = "m" + text.substr(0, 3);
    samples.push_back(raw(static_cast<uint32_t>(text.size())) +
                      raw(static_cast<uint32_t>(meta.size())) + raw(uint64_t{7}) + text + meta);
  }
  std::string bytes = raw(static_cast<uint32_t>(texts.size()));
  size_t at = 4 * (texts.size() + 2) + config.size();
  for (const std::string& sample : samples) {
    bytes += raw(static_cast<uint32_t>(at));
    at += sample.size();
  }
  bytes += raw(static_cast<uint32_t>(at)) + config;
  for (const std::string& sample : samples) bytes += sample;
  return bytes;
}

Json entry(const std::string& name, size_t samples, size_t bytes) {
  return {{"column_encodings", {"int", "str", "str"}},
          {"column_names", {"id", "text", "meta"}},
          {"column_sizes", {8, nullptr, nullptr}},
          {"compression", nullptr},
          {"format", "mds"},
          {"hashes", Json::array()},
          {"raw_data", {{"basename", name}, {"bytes", bytes}, {"hashes", Json::object()}}},
          {"samples", samples},
          {"size_limit", 67108864},
          {"version", 2},
          {"zip_data", nullptr}};
}

class MdsTest : public testing::Test {
 protected:
  MdsTest() : tokenizer_(word_tokenizer(folder_)) {}

  // Writes the index of `entries` and opens the folder.
  std::unique_ptr<Dataset> open(const std::vector<Json>& entries, int64_t length = 6) {
    folder_.write("index.json", Json{{"shards", entries}, {"version", 2}}.dump());
    return open_dataset(folder_.path(), {length, &tokenizer_});
  }

  Json add(const std::string& name, const std::vector<std::string>& texts) {
    const std::string bytes = mds_shard(texts);
    folder_.write(name, bytes);
    return entry(name, texts.size(), bytes.size());
  }

  // The same with the plain file missing.
  Json add_packed(const std::string& name, const std::vector<std::string>& texts,
                  const std::string& compression, std::string (*pack)(const std::string&)) {
    const std::string bytes = mds_shard(texts), packed = pack(bytes);
    folder_.write(name + ".packed", packed);
    Json made = entry(name, texts.size(), bytes.size());
    made["compression"] = compression;
    made["zip_data"] = {{"basename", name + ".packed"}, {"bytes", packed.size()}, {"hashes", {}}};
    return made;
  }

  std::string refusal_of(Json shard, const std::string& path, const Json& value) {
    shard[Json::json_pointer(path)] = value;
    return refusal([&] { all_samples(*open({shard})); });
  }

  TestFolder folder_;
  Tokenizer tokenizer_;
};

std::string pack_zstd(const std::string& bytes) {
  return zstd(bytes);
}

TEST_F(MdsTest, TextsAreTokenisedAndCut) {
  const auto dataset = open({add("a.mds", {"w0 w1", "", words(10, 30)}), add("b.mds", {"w3"})});
  EXPECT_EQ(all_samples(*dataset), (std::vector<std::vector<int32_t>>{
                                       {2, 5, 6, 3}, {2, 3}, {2, 15, 16, 17, 18, 3}, {2, 8, 3}}));
  EXPECT_EQ(dataset->vocabulary().hash, vocabulary_of(tokenizer_).hash);
}

TEST_F(MdsTest, CompressedShardsAreExpandedBesideThemselves) {
  const std::vector<std::string> texts = {words(0, 300), "w9"};
  const auto dataset = open(
      {add_packed("a.mds", texts, "zstd:7", pack_zstd), add_packed("b.mds", texts, "gz", gzip)});
  EXPECT_FALSE(std::filesystem::exists(folder_.path("a.mds")));
  const auto expected = std::vector<std::vector<int32_t>>{
      {2, 5, 6, 7, 8, 3}, {2, 14, 3}, {2, 5, 6, 7, 8, 3}, {2, 14, 3}};
  EXPECT_EQ(all_samples(*dataset), expected);
  EXPECT_EQ(read_text_file(folder_.path("a.mds"), 1 << 20), mds_shard(texts));
}

TEST_F(MdsTest, AFolderThatCannotBeWrittenIsReadAllTheSame) {
  const Json shard = add_packed("a.mds", {"w0"}, "zstd", pack_zstd);
  std::filesystem::create_directories(
      folder_.path("a.mds/occupied"));  // nothing can be renamed to it
  std::vector<std::string> warnings;
  set_log_sink([&](LogLevel, const std::string& message) { warnings.push_back(message); });
  const auto samples = all_samples(*open({shard}));
  set_log_sink({});
  EXPECT_EQ(samples, (std::vector<std::vector<int32_t>>{{2, 5, 3}}));
  EXPECT_THAT(warnings, testing::ElementsAre(HasSubstr("kept in memory")));
}

TEST_F(MdsTest, ABombIsRefused) {
  Json shard = add_packed("a.mds", {words(0, 5000)}, "zstd", pack_zstd);
  shard["raw_data"]["bytes"] = 1000;
  EXPECT_THAT(refusal([&] { all_samples(*open({shard})); }), HasSubstr("expands to more than"));
  shard["raw_data"]["bytes"] = 1 << 20;
  EXPECT_THAT(refusal([&] { all_samples(*open({shard})); }), HasSubstr("expands to "));
}

TEST_F(MdsTest, SaysWhatIsWrongInTheIndex) {
  const Json good = add("a.mds", {"w0", "w1 w2"});
  EXPECT_EQ(all_samples(*open({good})).size(), 2u);
  EXPECT_THAT(refusal_of(good, "/samples", 3), HasSubstr("a.mds: does not hold the 3 samples"));
  EXPECT_THAT(refusal_of(good, "/samples", -1), HasSubstr("\"samples\""));
  EXPECT_THAT(refusal_of(good, "/samples", uint64_t{1} << 40), HasSubstr("more samples"));
  EXPECT_THAT(refusal_of(good, "/version", 3), HasSubstr("no MDS of version 2"));
  EXPECT_THAT(refusal_of(good, "/format", "csv"), HasSubstr("no MDS of version 2"));
  EXPECT_THAT(refusal_of(good, "/column_names/1", "body"), HasSubstr("no column \"text\""));
  EXPECT_THAT(refusal_of(good, "/column_encodings/1", "pkl"), HasSubstr("no column \"text\""));
  EXPECT_THAT(refusal_of(good, "/column_sizes/0", -8), HasSubstr("column_sizes"));
  EXPECT_THAT(refusal_of(good, "/column_sizes", Json::array()), HasSubstr("differ in length"));
  EXPECT_THAT(refusal_of(good, "/raw_data/basename", "../a.mds"), HasSubstr("no name of a file"));
  EXPECT_THAT(refusal_of(good, "/raw_data/bytes", 5), HasSubstr("a.mds: is missing or has not"));
  EXPECT_THAT(refusal_of(good, "/raw_data", nullptr), HasSubstr("\"basename\""));
  EXPECT_THAT(refusal([&] { open({}); }), HasSubstr("holds no sample"));
  Json packed = add_packed("c.mds", {"w0"}, "br", pack_zstd);
  EXPECT_THAT(refusal([&] { open({packed}); }), HasSubstr("compressed by \"br\""));
  folder_.write("index.json", Json{{"shards", {good}}}.dump());
  EXPECT_THAT(refusal([&] { open_dataset(folder_.path(), {6, nullptr}); }),
              HasSubstr("need a vocabulary"));
}

TEST_F(MdsTest, ATextThatIsNoUtf8IsNamed) {
  const auto dataset = open({add("a.mds", {"w0", "w\xFF"})});
  EXPECT_THAT(refusal([&] { all_samples(*dataset); }), HasSubstr("a.mds: sample 1: "));
}

MdsColumns columns() {
  return {{8, std::nullopt, std::nullopt}, 1};
}

TEST(MdsShard, NoBitLeadsOutOfTheFile) {
  const std::string bytes = mds_shard({"one", "", "three and more"});
  size_t refused = 0;
  for_each_flip(bytes, bytes.size(), [&](const std::string& changed) {
    const bool taken = takes([&] {
      const MdsShard shard(as_span(changed), columns(), 3, "x.mds");
      for (uint64_t i = 0; i < 3; ++i) {
        EXPECT_LE(std::count(shard.text(i).begin(), shard.text(i).end(), 'o'), 20);
      }
    });
    refused += taken ? 0u : 1u;
  });
  EXPECT_GT(refused, 32u);
  for (size_t size = 0; size < bytes.size(); ++size) {
    refusal([&] { MdsShard(as_span(bytes.substr(0, size)), columns(), 3, "x.mds"); });
  }
}

TEST(MdsShard, AnEmptyOneHoldsNothing) {
  const std::string bytes = raw(uint32_t{0}) + raw(uint32_t{8});
  EXPECT_EQ(MdsShard(as_span(bytes), columns(), 0, "x").samples(), 0u);
}

}  // namespace
}  // namespace m2
