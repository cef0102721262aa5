#include "data/token_shards.h"
#include "core/text.h"

#include <algorithm>

#include "core/mapped_file.h"
#include "data/data_files.h"
#include "data/shard_header.h"

namespace m2 {
namespace {

using testing::HasSubstr;

ShardContent content(int64_t vocabulary = 1000, int64_t length = 16) {
  return {length, {vocabulary, 0x1234567890ABCDEFu, kSpecial}};
}

struct Samples {
  std::vector<uint32_t> offsets = {0};
  std::vector<int32_t> ids;
};

// Samples of 2 to 16 tokens below `vocabulary`.
Samples some_samples(size_t count, int64_t vocabulary = 1000) {
  Samples samples;
  for (size_t i = 0; i < count; ++i) {
    for (size_t j = 0; j < 2 + i % 15; ++j) {
      samples.ids.push_back(
          static_cast<int32_t>((samples.ids.size() * 104729) % static_cast<size_t>(vocabulary)));
    }
    samples.offsets.push_back(static_cast<uint32_t>(samples.ids.size()));
  }
  return samples;
}

std::string shard_text(const ShardContent& content, const Samples& samples) {
  return text_of(shard_bytes(content, samples.offsets, samples.ids));
}

std::vector<int32_t> all_ids(const std::string& bytes) {
  const TokenShard shard(as_span(bytes), "x.tokens");
  std::vector<int32_t> all, ids;
  for (uint64_t i = 0; i < shard.samples(); ++i) {
    shard.read(i, ids);
    all.insert(all.end(), ids.begin(), ids.end());
  }
  return all;
}

// The bytes with a header that `change` has had its way with, its checksums made good.
std::string with_header(std::string bytes, const std::function<void(ShardHeader&)>& change) {
  ShardHeader header;
  std::memcpy(&header, bytes.data(), sizeof(header));
  change(header);
  std::memcpy(bytes.data(), &header, sizeof(header));
  const ShardLayout layout = header.block_bytes > 0 ? layout_of(header) : ShardLayout();
  if (layout.token_part >= sizeof(header) && layout.token_part <= bytes.size()) {
    header.tables_checksum =
        checksum(as_span(bytes).subspan(sizeof(header), layout.token_part - sizeof(header)));
  }
  std::memcpy(bytes.data(), &header, sizeof(header));
  header.header_checksum = checksum(as_span(bytes).first(76));
  std::memcpy(bytes.data(), &header, sizeof(header));
  return bytes;
}

TEST(TokenShard, GivesBackWhatWasWritten) {
  for (const int64_t vocabulary : {int64_t{6}, int64_t{65536}, int64_t{65537}, int64_t{1} << 30}) {
    // More than a block of tokens.
    const Samples samples = some_samples(9000, vocabulary);
    const std::string bytes = shard_text(content(vocabulary), samples);
    EXPECT_EQ(all_ids(bytes), samples.ids);
    const TokenShard shard(as_span(bytes), "x");
    EXPECT_EQ(shard.samples(), 9000u);
    EXPECT_EQ(shard.tokens(), samples.ids.size());
    EXPECT_EQ(shard.content().length, 16);
    EXPECT_EQ(shard.content().vocabulary.size, vocabulary);
    EXPECT_EQ(shard.content().vocabulary.hash, 0x1234567890ABCDEFu);
    EXPECT_EQ(shard.content().vocabulary.special.mask, kMask);
    EXPECT_EQ(shard.content().vocabulary.special.unk, kUnk);
    const size_t token_bytes = vocabulary <= 65536 ? 2 : 4;
    EXPECT_NEAR(static_cast<double>(bytes.size()),
                static_cast<double>(samples.ids.size() * token_bytes + 9000 * 4), 400);
  }
}

TEST(TokenShard, EveryFlippedBitIsSeen) {
  const std::string bytes = shard_text(content(), some_samples(7));
  for_each_flip(bytes, bytes.size(), [](const std::string& changed) {
    const std::string line = refusal([&] { all_ids(changed); });
    EXPECT_THAT(line, HasSubstr("x.tokens: "));
    EXPECT_THAT(line, HasSubstr("build the data again"));
  });
}

TEST(TokenShard, ACutOrLongerFileIsSeen) {
  const std::string bytes = shard_text(content(), some_samples(7));
  for (size_t size = 0; size < bytes.size(); ++size) {
    refusal([&] { all_ids(bytes.substr(0, size)); });
  }
  refusal([&] { all_ids(bytes + '\0'); });
}

// A block is checked when something of it is read, and all by verify().
TEST(TokenShard, BlocksAreCheckedWhenTheyAreRead) {
  const Samples samples = some_samples(9000);
  std::string bytes = shard_text(content(), samples);
  bytes.back() = static_cast<char>(bytes.back() ^ 4);
  const TokenShard shard(as_span(bytes), "x.tokens");
  std::vector<int32_t> ids;
  shard.read(0, ids);
  EXPECT_EQ(ids, std::vector<int32_t>(samples.ids.begin(), samples.ids.begin() + 2));
  EXPECT_THAT(refusal([&] { shard.read(8999, ids); }), HasSubstr("is damaged"));
  EXPECT_THAT(refusal([&] { shard.verify(); }), HasSubstr("is damaged"));
}

TEST(TokenShard, AHeaderThatLiesIsSeen) {
  const std::string bytes = shard_text(content(), some_samples(7));
  const auto refused = [&](const std::function<void(ShardHeader&)>& change) {
    return !takes([&] { all_ids(with_header(bytes, change)); });
  };
  EXPECT_FALSE(refused([](ShardHeader&) {}));
  EXPECT_TRUE(refused([](ShardHeader& h) { h.version = 2; }));
  EXPECT_TRUE(refused([](ShardHeader& h) { h.token_bytes = 4; }));
  EXPECT_TRUE(refused([](ShardHeader& h) { h.token_bytes = 0; }));
  EXPECT_TRUE(refused([](ShardHeader& h) { h.block_bytes = 0; }));
  EXPECT_TRUE(refused([](ShardHeader& h) { h.samples = 0; }));
  EXPECT_TRUE(refused([](ShardHeader& h) { h.samples = UINT64_MAX; }));
  EXPECT_TRUE(refused([](ShardHeader& h) { h.samples -= 1; }));
  EXPECT_TRUE(refused([](ShardHeader& h) { h.tokens = UINT64_MAX; }));
  EXPECT_TRUE(refused([](ShardHeader& h) { h.tokens -= 1; }));
  EXPECT_TRUE(refused([](ShardHeader& h) { h.length = 7; }));
  EXPECT_TRUE(refused([](ShardHeader& h) { h.length = UINT32_MAX; }));
  EXPECT_TRUE(refused([](ShardHeader& h) { h.vocabulary_size = 0; }));
  EXPECT_TRUE(refused([](ShardHeader& h) { h.vocabulary_size = 30; }));
  EXPECT_TRUE(refused([](ShardHeader& h) { h.mask = 1000; }));
  EXPECT_TRUE(refused([](ShardHeader& h) { h.cls = -2; }));
}

TEST(TokenShard, OffsetsThatLieAreSeen) {
  const std::string bytes = shard_text(content(), some_samples(7));
  for (size_t entry = 0; entry <= 7; ++entry) {
    for (const uint32_t value : {0u, 1u, 20u, 36u, 0x80000000u, ~0u}) {
      std::string changed = bytes;
      std::memcpy(changed.data() + sizeof(ShardHeader) + 4 * entry, &value, sizeof(value));
      changed = with_header(changed, [](ShardHeader&) {});
      if (changed != bytes) takes([&] { all_ids(changed); });
      if (value > 36) refusal([&] { all_ids(changed); });
    }
  }
}

std::unique_ptr<Dataset> open(const std::string& folder, int64_t length = 16,
                              const Tokenizer* tokenizer = nullptr) {
  return open_dataset(folder, {length, tokenizer});
}

TEST(TokenDataset, GoesOverSeveralShards) {
  const TestFolder folder;
  const Samples first = some_samples(3), second = some_samples(5);
  folder.write("0.tokens", shard_text(content(), first));
  folder.write("1.tokens", shard_text(content(), second));
  folder.write("index.json",
               "{\"format\":\"m2-tokens\",\"version\":1,\"length\":16,\"shards\":[{\"file\":\"0."
               "tokens\",\"samples\":3,"
               "\"tokens\":9},{\"file\":\"1.tokens\",\"samples\":5,\"tokens\":20}]}");
  const auto dataset = open(folder.path());
  EXPECT_EQ(dataset->samples(), 8u);
  std::vector<int32_t> all;
  for (const auto& sample : all_samples(*dataset))
    all.insert(all.end(), sample.begin(), sample.end());
  std::vector<int32_t> expected = first.ids;
  expected.insert(expected.end(), second.ids.begin(), second.ids.end());
  EXPECT_EQ(all, expected);
}

TEST(TokenDataset, AFlippedByteIsSeenAtOnce) {
  const TestFolder folder;
  const std::string path = write_dataset(folder, "data", {{2, 5, 3}, {2, 6, 3}}, 16,
                                         vocabulary_of(word_tokenizer(folder)));
  std::string bytes = read_text_file(path + "/shard.00000.tokens", 1000);
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  folder.write("data/shard.00000.tokens", bytes);
  EXPECT_THAT(refusal([&] { open(path); }),
              testing::AllOf(HasSubstr("data/shard.00000.tokens: is damaged"),
                             HasSubstr("build the data again")));
}

TEST(TokenDataset, SaysWhatDoesNotFit) {
  const TestFolder folder;
  const Tokenizer tokenizer = word_tokenizer(folder);
  const std::string path = write_dataset(folder, "data", {{2, 5, 3}}, 16, vocabulary_of(tokenizer));
  EXPECT_EQ(open(path, 16, &tokenizer)->samples(), 1u);
  EXPECT_EQ(open(path, 17)->samples(), 1u);
  EXPECT_THAT(refusal([&] { open(path, 15); }),
              HasSubstr("up to 16 tokens, more than the length 15"));
  const Tokenizer other = word_tokenizer(folder, 201);
  EXPECT_THAT(refusal([&] { open(path, 16, &other); }), HasSubstr("another vocabulary"));
}

TEST(TokenDataset, RefusesABadIndex) {
  const TestFolder folder;
  EXPECT_THAT(refusal([&] { open(folder.path()); }), HasSubstr("holds no data (no index.json)"));
  folder.write("0.tokens", shard_text(content(), some_samples(3)));
  const std::string shard = R"({"file":"0.tokens","samples":3,"tokens":9})";
  const auto index = [&](const std::string& shards) {
    folder.write("index.json",
                 R"({"format":"m2-tokens","version":1,"length":16,"shards":)" + shards + "}");
    return takes([&] { open(folder.path()); });
  };
  EXPECT_TRUE(index("[" + shard + "]"));
  EXPECT_FALSE(index("[]"));
  EXPECT_FALSE(index("7"));
  EXPECT_FALSE(index("[7]"));
  EXPECT_FALSE(index(R"([{"file":"0.tokens","samples":4,"tokens":9}])"));
  EXPECT_FALSE(index(R"([{"file":"0.tokens","samples":3,"tokens":-9}])"));
  EXPECT_FALSE(index(R"([{"file":"missing.tokens","samples":3,"tokens":9}])"));
  EXPECT_FALSE(index(R"([{"file":"../x","samples":3,"tokens":9}])"));
  EXPECT_FALSE(index(R"([{"file":"","samples":3,"tokens":9}])"));
  for (const char* other : {R"("version":2,"length":16)", R"("version":1,"length":17)"}) {
    folder.write("index.json",
                 concat(R"({"format":"m2-tokens",)", other, R"(,"shards":[)", shard, "]}"));
    EXPECT_THAT(refusal([&] { open(folder.path()); }), HasSubstr("of other data than its shards"));
  }
  folder.write("index.json", R"({"format":"other","shards":[)" + shard + "]}");
  EXPECT_THAT(refusal([&] { open(folder.path()); }), HasSubstr("a format that is not read"));
}

}  // namespace
}  // namespace m2
