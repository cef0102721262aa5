#include "documents/document_reader.h"

#include "checkpoint/test_files.h"
#include "documents/document_files.h"

namespace m2 {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> texts_of(DocumentReader& reader) {
  std::vector<std::string> texts;
  while (std::optional<Document> document = reader.next()) texts.push_back(document->text);
  return texts;
}

std::vector<std::string> texts_of(const std::vector<std::string>& inputs,
                                  const DocumentLimits& limits = {}) {
  DocumentReader reader(list_input_files(inputs), limits);
  return texts_of(reader);
}

std::string long_text() {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += std::to_string(i * 7919 % 1009) + "\n";
  return text;
}

TEST(DocumentReader, PlainTextIsOneDocument) {
  const TestFolder folder;
  const std::string path = folder.write("a.txt", "one\ntwo\n\nthree");
  DocumentReader reader(list_input_files({path}), {});
  const std::optional<Document> document = reader.next();
  ASSERT_TRUE(document);
  EXPECT_EQ(document->name, path);
  EXPECT_EQ(document->text, "one\ntwo\n\nthree");
  EXPECT_FALSE(reader.next());
  EXPECT_EQ(reader.bytes_taken(), reader.total_bytes());
}

TEST(DocumentReader, CompressedTextIsTheSame) {
  const TestFolder folder;
  const std::string text = long_text();
  const std::string first = text.substr(0, text.size() / 3), rest = text.substr(first.size());
  EXPECT_THAT(texts_of({folder.write("a.txt", text)}), ElementsAre(text));
  EXPECT_THAT(texts_of({folder.write("a.gz", gzip(text))}), ElementsAre(text));
  EXPECT_THAT(texts_of({folder.write("b.txt.gz", gzip(first) + gzip(rest))}), ElementsAre(text));
  EXPECT_THAT(texts_of({folder.write("a.zst", zstd(text))}), ElementsAre(text));
  EXPECT_THAT(texts_of({folder.write("b.txt.zst", zstd(first) + zstd(rest))}), ElementsAre(text));
}

TEST(DocumentReader, ZstdWindowsUpTo27) {
  const TestFolder folder;
  EXPECT_THAT(texts_of({folder.write("a.zst", zstd("long", 27))}), ElementsAre("long"));
  const std::string larger = folder.write("b.zst", zstd("longer", 28));
  EXPECT_THAT(refusal([&] { texts_of({larger}); }), HasSubstr("b.zst: is no sound zstd file"));
}

TEST(DocumentReader, JsonLinesAreADocumentEach) {
  const TestFolder folder;
  const std::string path = folder.write(
      "a.jsonl",
      "\xEF\xBB\xBF{\"text\": \"one\", \"id\": 1}\r\n\n  \n{\"text\":\"tw\\u00f6\\n2\"}\n"
      "{\"url\":[1,{}],\"text\":\"\"}");
  DocumentReader reader(list_input_files({path}), {});
  std::vector<std::string> names, texts;
  while (std::optional<Document> document = reader.next()) {
    names.push_back(document->name);
    texts.push_back(document->text);
  }
  EXPECT_THAT(texts, ElementsAre("one", "tw\xC3\xB6\n2", ""));
  EXPECT_THAT(names, ElementsAre(path + ":1", path + ":4", path + ":5"));
}

TEST(DocumentReader, CompressedJsonLines) {
  const TestFolder folder;
  std::string lines;
  std::vector<std::string> expected;
  for (int i = 0; i < 20'000; ++i) {
    expected.push_back("document " + std::to_string(i));
    lines += "{\"text\":\"" + expected.back() + "\"}\n";
  }
  EXPECT_EQ(texts_of({folder.write("a.json.gz", gzip(lines))}), expected);
  EXPECT_EQ(texts_of({folder.write("a.ndjson.zst", zstd(lines))}), expected);
}

TEST(DocumentReader, RefusesLinesThatAreNoDocument) {
  const TestFolder folder;
  const std::vector<std::string> bad = {"{\"txt\":\"a\"}",
                                        "{\"text\":1}",
                                        "[\"text\"]",
                                        "\"text\"",
                                        "{\"text\":\"a\"",
                                        "{\"text\":\"\xFF\"}",
                                        "{\"text\":\"a\"} {\"text\":\"b\"}",
                                        "{\"text\":\"a\",\"text\":\"b\"}"};
  for (const std::string& line : bad) {
    const std::string path = folder.write("bad.jsonl", "{\"text\":\"good\"}\n\n" + line + "\n");
    EXPECT_THAT(refusal([&] { texts_of({path}); }), HasSubstr("bad.jsonl:3: "));
  }
}

TEST(DocumentReader, RefusesWhatIsNoUtf8) {
  const TestFolder folder;
  const std::string path = folder.write("bad.txt", "one\ntwo \xE4hm\n");
  EXPECT_THAT(refusal([&] { texts_of({path}); }), HasSubstr("bad.txt:2: is not UTF-8: byte 8"));
}

TEST(DocumentReader, RefusesCutAndDamagedFiles) {
  const TestFolder folder;
  const std::string text = long_text();
  const std::vector<std::pair<std::string, std::string>> files = {{"a.gz", gzip(text)},
                                                                  {"a.zst", zstd(text)}};
  for (const auto& [name, bytes] : files) {
    for (const size_t size : {size_t{1}, size_t{5}, bytes.size() / 2, bytes.size() - 1}) {
      const std::string path = folder.write(name, bytes.substr(0, size));
      EXPECT_THAT(refusal([&] { texts_of({path}); }), HasSubstr(name + ": is cut short")) << size;
    }
    std::string changed = bytes;
    changed[bytes.size() - 2] = static_cast<char>(changed[bytes.size() - 2] ^ 1);  // its checksum
    EXPECT_THAT(refusal([&] { texts_of({folder.write(name, changed)}); }), HasSubstr("no sound"));
    EXPECT_THAT(refusal([&] { texts_of({folder.write(name, "plain text")}); }),
                HasSubstr("no sound"));
    EXPECT_THAT(refusal([&] { texts_of({folder.write(name, bytes + "rest")}); }),
                testing::AnyOf(HasSubstr("no sound"), HasSubstr("cut short")));
  }
}

TEST(DocumentReader, BoundsWhatExpands) {
  const TestFolder folder;
  const std::string text(1 << 20, 'a');
  DocumentLimits limits;
  limits.expanded_bytes = text.size();
  const std::vector<std::string> paths = {folder.write("a.gz", gzip(text)),
                                          folder.write("a.zst", zstd(text))};
  for (const std::string& path : paths) {
    EXPECT_THAT(texts_of({path}, limits), ElementsAre(text));
    DocumentLimits less = limits;
    less.expanded_bytes = text.size() - 1;
    EXPECT_THAT(refusal([&] { texts_of({path}, less); }), HasSubstr("expands to more than"));
  }
}

TEST(DocumentReader, BoundsADocument) {
  const TestFolder folder;
  DocumentLimits limits;
  limits.document_bytes = 20;
  const std::string line = "{\"text\":\"123456789\"}";  // 20 bytes
  const std::string fits = folder.write("a.jsonl", line + "\n" + line);
  EXPECT_EQ(texts_of({fits}, limits).size(), 2u);
  const std::string longer = folder.write("b.jsonl", line + "\n" + line + " \n");
  EXPECT_THAT(refusal([&] { texts_of({longer}, limits); }), HasSubstr("b.jsonl:2: the line is"));
  EXPECT_EQ(texts_of({folder.write("a.txt", std::string(20, 'x'))}, limits).size(), 1u);
  const std::string text = folder.write("b.txt", std::string(21, 'x'));
  EXPECT_THAT(refusal([&] { texts_of({text}, limits); }), HasSubstr("b.txt: the text is longer"));
}

TEST(DocumentReader, GoesOnFromAnyPosition) {
  const TestFolder folder;
  const std::vector<std::string> inputs = {
      folder.write("a.jsonl", "{\"text\":\"0\"}\n\n{\"text\":\"1\"}\n"),
      folder.write("b.txt", "2"),
      folder.write("empty.txt", ""),
      folder.write("c.jsonl.zst", zstd("{\"text\":\"3\"}\n{\"text\":\"4\"}\n{\"text\":\"5\"}")),
      folder.write("d.txt.gz", gzip("6")),
  };
  DocumentReader reader(list_input_files(inputs), {});
  std::vector<DocumentPosition> positions = {reader.position()};
  while (reader.next()) positions.push_back(reader.position());
  ASSERT_EQ(positions.size(), 8u);  // the last one behind all
  for (size_t done = 0; done < 8; ++done) {
    DocumentReader other(list_input_files(inputs), {});
    other.skip_to(positions[done]);
    std::vector<std::string> expected;
    for (size_t i = done; i < 7; ++i) expected.push_back(std::to_string(i));
    EXPECT_EQ(texts_of(other), expected) << done;
  }
}

TEST(DocumentReader, RefusesAPositionBeyondTheFiles) {
  const TestFolder folder;
  const std::string path = folder.write("a.jsonl", "{\"text\":\"0\"}\n");
  DocumentReader lines(list_input_files({path}), {}), files(list_input_files({path}), {});
  EXPECT_THAT(refusal([&] { lines.skip_to({0, 2}); }), HasSubstr("fewer documents"));
  EXPECT_THAT(refusal([&] { files.skip_to({2, 0}); }), HasSubstr("fewer files"));
}

}  // namespace
}  // namespace m2
