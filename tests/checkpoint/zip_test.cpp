#include "checkpoint/zip.h"

#include "checkpoint/test_files.h"

namespace m2 {
namespace {

using testing::HasSubstr;

std::string read_text(ZipFile& zip, const std::string& name) {
  const ZipEntry* entry = zip.find(name);
  if (entry == nullptr) return "no such entry";
  const auto bytes = zip.read(*entry);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void read_all(const std::string& bytes, const ZipLimits& limits = {}) {
  ZipFile zip(as_span(bytes), "f.zip", limits);
  for (const ZipEntry& entry : zip.entries()) zip.read(entry);
}

std::string refusal_of(const std::string& bytes, const ZipLimits& limits = {}) {
  return refusal([&] { read_all(bytes, limits); });
}

const std::string kLong(5000, 'z');

TEST(Zip, ReadsStoredAndDeflatedEntries) {
  for (const bool zip64 : {false, true}) {
    const std::string bytes = make_zip({{.name = "a/stored", .content = "hello"},
                                        {.name = "a/deflated", .content = kLong, .deflate = true},
                                        {.name = "a/none", .content = ""},
                                        {.name = "a/nothing", .content = "", .deflate = true}},
                                       zip64);
    ZipFile zip(as_span(bytes), "f.zip");
    EXPECT_EQ(zip.entries().size(), 4u);
    EXPECT_EQ(read_text(zip, "a/stored"), "hello");
    EXPECT_EQ(read_text(zip, "a/deflated"), kLong);
    EXPECT_EQ(read_text(zip, "a/none"), "");
    EXPECT_EQ(read_text(zip, "a/nothing"), "");
    EXPECT_EQ(zip.find("a"), nullptr);
    // Stored bytes are handed out where they lie, inflated ones are kept.
    const auto* stored = reinterpret_cast<const char*>(zip.read(*zip.find("a/stored")).data());
    EXPECT_TRUE(stored > bytes.data() && stored < bytes.data() + bytes.size());
    EXPECT_EQ(zip.read(*zip.find("a/deflated")).data(), zip.read(*zip.find("a/deflated")).data());
  }
}

TEST(Zip, ReadsAnArchiveWithAComment) {
  std::string bytes = make_zip({{.name = "a", .content = "hello"}});
  const std::string comment(65535, 'c');
  bytes.replace(bytes.size() - 2, 2, raw(uint16_t{65535}));
  EXPECT_NO_THROW(read_all(bytes + comment));
  EXPECT_THAT(refusal_of(bytes + comment + "x"), HasSubstr("directory is missing"));
}

TEST(Zip, RefusesEveryCut) {
  for (const bool zip64 : {false, true}) {
    const std::string whole = make_zip(
        {{.name = "a", .content = "hello"}, {.name = "b", .content = kLong, .deflate = true}},
        zip64);
    for (size_t size = 0; size < whole.size(); ++size) {
      EXPECT_THAT(refusal_of(whole.substr(0, size)), HasSubstr("f.zip")) << size;
    }
  }
}

TEST(Zip, SurvivesEveryFlippedBit) {
  for (const bool zip64 : {false, true}) {
    const std::string whole = make_zip(
        {{.name = "a", .content = "hello"}, {.name = "b", .content = kLong, .deflate = true}},
        zip64);
    for_each_flip(whole, whole.size(),
                  [](const std::string& bytes) { takes([&] { read_all(bytes); }); });
  }
}

TEST(Zip, ChecksTheChecksum) {
  std::string bytes = make_zip({{.name = "a", .content = "hello"}});
  bytes[bytes.find("hello")] = 'j';
  EXPECT_THAT(refusal_of(bytes), HasSubstr("checksum"));
  const ZipLimits unchecked{.check_crc = false};
  EXPECT_NO_THROW(read_all(bytes, unchecked));
  EXPECT_THAT(refusal_of(make_zip({{.name = "a", .content = kLong, .deflate = true, .crc = 7}})),
              HasSubstr("checksum"));
}

TEST(Zip, RefusesBombs) {
  const std::string zeros(8 << 20, '\0');
  const std::string bomb = make_zip({{.name = "a", .content = zeros, .deflate = true}});
  EXPECT_LT(bomb.size(), zeros.size() / 500);
  EXPECT_THAT(refusal_of(bomb), HasSubstr("expand more than 200 times"));
  // Many small entries are caught by the total.
  std::vector<ZipMember> members;
  for (int i = 0; i < 20; ++i) {
    members.push_back({.name = std::to_string(i), .content = kLong, .deflate = true});
  }
  EXPECT_NO_THROW(read_all(make_zip(members), {.inflated_bytes = 20 * 5000}));
  EXPECT_THAT(refusal_of(make_zip(members), {.inflated_bytes = 20 * 5000 - 1}),
              HasSubstr("beyond 100.0 kB"));
  EXPECT_THAT(refusal_of(make_zip(members), {.entries = 19}), HasSubstr("too many entries"));
}

TEST(Zip, RefusesSizesThatLie) {
  // One byte less or more than the stream holds, and far more than memory.
  for (const uint32_t size : {4999u, 5001u, 0u, 900'000u}) {
    EXPECT_THAT(
        refusal_of(make_zip({{.name = "a", .content = kLong, .deflate = true, .size = size}})),
        HasSubstr("does not inflate"));
  }
  EXPECT_THAT(refusal_of(make_zip({{.name = "a", .content = "hello", .size = 6}})),
              HasSubstr("two sizes"));
}

TEST(Zip, RefusesOverlaps) {
  // Two directory entries that share one record, and one whose data hold another.
  EXPECT_THAT(refusal_of(make_zip({{.name = "a", .content = "hello"},
                                   {.name = "b", .content = "hello", .record = 0}})),
              HasSubstr("disagree"));
  const std::string inner = make_zip({{.name = "b", .content = "hello"}}).substr(0, 36);
  EXPECT_THAT(refusal_of(make_zip({{.name = "a", .content = inner},
                                   {.name = "b", .content = "hello", .record = 31}})),
              HasSubstr("overlaps"));
}

TEST(Zip, RefusesUnsafeNames) {
  for (const char* name :
       {"", "/etc/passwd", "../x", "a/../../x", "a/..", "a\\b", "a\nb", "\xff"}) {
    EXPECT_THAT(refusal_of(make_zip({{.name = name, .content = "x"}})), HasSubstr("unsafe name"))
        << name;
  }
  EXPECT_NO_THROW(read_all(make_zip({{.name = "a/..b/c..", .content = "x"}})));
  EXPECT_THAT(refusal_of(make_zip({{.name = "a", .content = "x"}, {.name = "a", .content = "y"}})),
              HasSubstr("twice"));
}

TEST(Zip, RefusesHeadersThatDisagree) {
  EXPECT_THAT(refusal_of(make_zip({{.name = "a", .content = "x", .local_name = "b"}})),
              HasSubstr("disagree"));
  EXPECT_THAT(refusal_of(make_zip({{.name = "a", .content = "x", .flags = 1}})),
              HasSubstr("encrypted"));
}

TEST(Zip, RefusesAnotherMethod) {
  std::string bytes = make_zip({{.name = "a", .content = "x"}});
  const size_t entry = bytes.find("PK\x01\x02");
  bytes[8] = bytes[entry + 10] = 12;  // bzip2
  EXPECT_THAT(refusal_of(bytes), HasSubstr("neither stored nor deflated"));
}

}  // namespace
}  // namespace m2
