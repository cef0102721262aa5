#include "data/build.h"

#include <map>
#include <set>

#include "data/build_state.h"
#include "data/data_files.h"
#include "data/document_tokens.h"

namespace m2 {
namespace {

using testing::HasSubstr;

// All files below a folder, by their path there.
std::map<std::string, std::string> files_below(const std::string& folder) {
  std::map<std::string, std::string> files;
  for (const auto& at : std::filesystem::recursive_directory_iterator(folder)) {
    if (!at.is_regular_file()) continue;
    const std::string name = std::filesystem::relative(at.path(), folder).string();
    files[name] = read_text_file(at.path().string(), 1 << 24);
  }
  return files;
}

class BuildTest : public testing::Test {
 protected:
  BuildTest() : tokenizer_(word_tokenizer(folder_)) {}

  // Documents of 0 to 40 words, and a long one now and then, each of its own.
  std::string corpus(int documents, const std::string& name = "corpus.jsonl") {
    std::string lines;
    for (int i = 0; i < documents; ++i) {
      const int count = i % 50 == 49 ? 3000 : i % 41;
      lines += "{\"text\":\"" + (count > 0 ? "w" + std::to_string(i % 200) + " " : "") +
               words(i * 7, count) + "\"}\n";
    }
    return folder_.write(name, lines);
  }

  BuildOptions options(const std::string& input, const std::string& output) const {
    BuildOptions options;
    options.inputs = {input};
    options.output = folder_.path(output);
    options.length = 32;
    return options;
  }

  BuildReport build(const BuildOptions& options, int threads = 1,
                    const BuildProgress& progress = {}) {
    ThreadPool pool(threads);
    return build_dataset(tokenizer_, options, pool, progress ? progress : [](double, int64_t) {});
  }

  std::vector<std::vector<int32_t>> samples(const BuildOptions& options, const std::string& split) {
    return all_samples(*open_dataset(options.output + "/" + split, {options.length, &tokenizer_}));
  }

  std::string refusal_of(const BuildOptions& options, ErrorKind kind) {
    try {
      build(options);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), kind) << error.what();
      return error.what();
    }
    ADD_FAILURE() << "was not refused";
    return "";
  }

  TestFolder folder_;
  Tokenizer tokenizer_;
};

TEST_F(BuildTest, HasEveryTokenOnce) {
  const BuildOptions wanted = options(corpus(300), "out");
  const BuildReport report = build(wanted);
  std::vector<int32_t> found, expected;
  uint64_t tokens = 0;
  for (const auto& sample : samples(wanted, "train")) {
    found.insert(found.end(), sample.begin() + 1, sample.end() - 1);
    tokens += sample.size();
  }
  DocumentReader reader(list_input_files(wanted.inputs), {});
  while (const auto document = reader.next()) {
    const std::vector<int32_t> ids = TextTokens(tokenizer_).ids(document->text);
    expected.insert(expected.end(), ids.begin(), ids.end());
  }
  EXPECT_EQ(found, expected);
  EXPECT_EQ(report.train.tokens, tokens);
  EXPECT_EQ(report.train.documents + report.empty_documents, 300u);
  EXPECT_EQ(report.empty_documents, 8u);
  EXPECT_FALSE(std::filesystem::exists(wanted.output + "/val"));
  EXPECT_FALSE(std::filesystem::exists(wanted.output + "/unfinished.json"));
}

// A name need not be UTF-8, an index must: such names are kept apart in it.
TEST_F(BuildTest, NamesNeedNotBeUtf8) {
  std::filesystem::create_directories(folder_.path("in"));
  std::string corpora;
  for (const char* name : {"caf\xe9", "caf\xe8"}) {
    const BuildOptions wanted = options(corpus(200, std::string("in/") + name + ".jsonl"), name);
    BuildOptions cut = wanted;
    cut.shard_tokens = 700;
    const std::string blocked = cut.output + "/train/shard.00002.tokens";
    std::filesystem::create_directories(blocked + "/occupied");
    refusal_of(cut, ErrorKind::kFailed);
    std::filesystem::remove_all(blocked);
    cut.resume = true;
    // Of the same size and time, and called what the first name is written as.
    cut.inputs = {corpus(200, "in/caf\\xe9.jsonl")};
    std::filesystem::last_write_time(cut.inputs[0],
                                     std::filesystem::last_write_time(wanted.inputs[0]));
    EXPECT_THAT(refusal_of(cut, ErrorKind::kUsage), HasSubstr("another input files"));
    cut.inputs = wanted.inputs;
    EXPECT_EQ(build(cut).train.documents, 195u);
    corpora += read_text_file(cut.output + "/train/index.json", 1 << 16);
  }
  EXPECT_THAT(corpora, HasSubstr("in/caf\\\\xe9.jsonl\""));  // \\xe9 in JSON
  EXPECT_THAT(corpora, HasSubstr("in/caf\\\\xe8.jsonl\""));
}

TEST_F(BuildTest, DoesNotDependOnThreads) {
  BuildOptions one = options(corpus(500), "one");
  one.valid_fraction = 0.1;
  one.assembly.concatenate_share = 0.5;
  one.shard_tokens = 3000;
  build(one, 1);
  const auto expected = files_below(one.output);
  EXPECT_GT(expected.size(), 8u);
  for (const int threads : {2, 5}) {
    BuildOptions other = one;
    other.output = folder_.path("other" + std::to_string(threads));
    build(other, threads);
    EXPECT_TRUE(files_below(other.output) == expected) << threads;
  }
}

// Shards hold what one large one holds, in the same order.
TEST_F(BuildTest, ShardsChangeNothing) {
  BuildOptions one = options(corpus(400), "one");
  one.assembly.concatenate_share = 0.4;
  one.valid_fraction = 0.1;
  BuildOptions many = one;
  many.output = folder_.path("many");
  many.shard_tokens = 500;
  build(one);
  build(many);
  EXPECT_EQ(samples(many, "train"), samples(one, "train"));
  EXPECT_EQ(samples(many, "val"), samples(one, "val"));
}

// What is cut off does not fill a shard: each of 100 documents gives 30 tokens of its 3000.
TEST_F(BuildTest, AShardIsClosedByWhatIsKept) {
  std::string lines;
  for (int i = 0; i < 100; ++i) lines += "{\"text\":\"" + words(i, 3000) + "\"}\n";
  BuildOptions wanted = options(folder_.write("long.jsonl", lines), "out");
  wanted.assembly.truncate = true;
  wanted.shard_tokens = 300;
  EXPECT_EQ(build(wanted).train.samples, 100u);
  const auto found = samples(wanted, "train");
  for (size_t i = 0; i < found.size(); ++i) {
    const std::vector<int32_t> ids = TextTokens(tokenizer_).ids(words(static_cast<int>(i), 30));
    EXPECT_TRUE(std::equal(ids.begin(), ids.end(), found[i].begin() + 1, found[i].end() - 1)) << i;
  }
  EXPECT_EQ(files_below(wanted.output + "/train").size(),
            1u + 10u);  // the index, ten documents each
}

// Ended after any number of shards, a build goes on to the same bytes.
TEST_F(BuildTest, ResumesToTheSameBytes) {
  BuildOptions whole = options(corpus(400), "whole");
  whole.valid_fraction = 0.08;
  whole.assembly.concatenate_share = 0.5;
  whole.shard_tokens = 700;
  build(whole);
  const auto expected = files_below(whole.output);
  // The state after each shard, as a killed build leaves it: an unreadable folder ends the build
  // where it would write the next one.
  for (int shards = 1; shards < 15; shards += 4) {
    BuildOptions cut = whole;
    cut.output = folder_.path("cut" + std::to_string(shards));
    std::array<char, 16> name{};
    std::snprintf(name.data(), name.size(), "%05d", shards);
    const std::string blocked = cut.output + "/train/shard." + name.data() + ".tokens";
    std::filesystem::create_directories(blocked + "/occupied");
    EXPECT_THAT(refusal_of(cut, ErrorKind::kFailed), HasSubstr(name.data()));
    EXPECT_FALSE(std::filesystem::exists(cut.output + "/train/index.json"));
    EXPECT_THAT(refusal([&] { open_dataset(cut.output + "/train", {32, nullptr}); }),
                HasSubstr("its build has not ended; finish it with m2 data build --resume"));
    std::filesystem::remove_all(blocked);
    folder_.write("cut" + std::to_string(shards) + "/train/shard.00000.tokens.77-0.part", "rest");
    EXPECT_THAT(refusal_of(cut, ErrorKind::kUsage), HasSubstr("go on with --resume"));
    cut.resume = true;
    build(cut, 2);
    EXPECT_TRUE(files_below(cut.output) == expected) << shards;
  }
}

TEST_F(BuildTest, ResumesOnlyTheSameBuild) {
  BuildOptions cut = options(corpus(400), "cut");
  cut.shard_tokens = 700;
  const std::string blocked = cut.output + "/train/shard.00002.tokens";
  std::filesystem::create_directories(blocked + "/occupied");
  refusal_of(cut, ErrorKind::kFailed);
  cut.resume = true;
  cut.length = 33;
  EXPECT_THAT(refusal_of(cut, ErrorKind::kUsage), HasSubstr("another length (32, now 33)"));
  cut.length = 32;
  corpus(401);
  EXPECT_THAT(refusal_of(cut, ErrorKind::kUsage), HasSubstr("another input files"));
}

TEST_F(BuildTest, AWholeOneIsNotBuiltAgain) {
  BuildOptions wanted = options(corpus(100), "out");
  wanted.valid_fraction = 0.1;
  const BuildReport first = build(wanted);
  const auto expected = files_below(wanted.output);
  EXPECT_THAT(refusal_of(wanted, ErrorKind::kUsage), HasSubstr("holds data already"));
  wanted.resume = true;
  const BuildReport again = build(wanted);
  EXPECT_TRUE(again.was_whole);
  EXPECT_EQ(again.train.tokens, first.train.tokens);
  EXPECT_EQ(again.validation.samples, first.validation.samples);
  EXPECT_TRUE(files_below(wanted.output) == expected);
  wanted.length = 64;
  EXPECT_THAT(refusal_of(wanted, ErrorKind::kUsage), HasSubstr("another length"));
}

// A document goes where its text says, wherever it stands.
TEST_F(BuildTest, HoldsBackByHash) {
  BuildOptions wanted = options(corpus(400), "out");
  wanted.valid_fraction = 0.2;
  const BuildReport report = build(wanted);
  EXPECT_NEAR(static_cast<double>(report.validation.documents), 80, 6 * 8);  // √(400·0.2·0.8) = 8
  std::vector<std::string> lines;
  std::ifstream file(wanted.inputs.front());
  for (std::string line; std::getline(file, line);) lines.insert(lines.begin(), line + "\n");
  std::string text;
  for (const std::string& line : lines) text += line;
  BuildOptions turned = options(folder_.write("turned.jsonl", text), "turned");
  turned.valid_fraction = 0.2;
  build(turned);
  const auto sorted = [&](const BuildOptions& of) {
    auto found = samples(of, "val");
    std::sort(found.begin(), found.end());
    return found;
  };
  EXPECT_EQ(sorted(turned), sorted(wanted));
}

TEST_F(BuildTest, HoldsBackOneAtLeast) {
  BuildOptions wanted =
      options(folder_.write("two.jsonl", "{\"text\":\"w1\"}\n{\"text\":\"w2\"}\n"), "out");
  wanted.valid_fraction = 1e-9;
  wanted.shard_tokens = 1;
  const BuildReport report = build(wanted);
  EXPECT_EQ(report.validation.documents, 1u);
  EXPECT_EQ(report.train.documents, 1u);
}

// Where the fraction picks none too, a text and its copies stay together, but where there is
// nothing else.
TEST_F(BuildTest, CopiesOfTheOneHeldBackGoWithIt) {
  std::string lines = "{\"text\":\"w1\"}\n{\"text\":\"w2\"}\n";
  BuildOptions wanted = options(folder_.write("four.jsonl", lines + lines), "out");
  wanted.valid_fraction = 1e-9;
  const BuildReport report = build(wanted);
  EXPECT_EQ(report.validation.documents, 2u);
  const auto val = samples(wanted, "val"), train = samples(wanted, "train");
  EXPECT_EQ(val.at(0), val.at(1));
  EXPECT_NE(val.at(0), train.at(0));
  BuildOptions equal =
      options(folder_.write("equal.jsonl", "{\"text\":\"w1\"}\n{\"text\":\"w1\"}\n"), "equal");
  equal.valid_fraction = 1e-9;
  EXPECT_EQ(build(equal).validation.documents, 1u);
}

TEST_F(BuildTest, OfASingleDocumentTheLastPieces) {
  BuildOptions wanted = options(folder_.write("one.txt", words(0, 199)), "out");
  wanted.valid_fraction = 0.3;
  wanted.shard_tokens = 10;
  build(wanted);
  const auto train = samples(wanted, "train"), val = samples(wanted, "val");
  ASSERT_EQ(train.size(), 5u);  // of 7 pieces of up to 30 words
  ASSERT_EQ(val.size(), 2u);
  EXPECT_EQ(train.back()[1], kFirstWord + 120);
  EXPECT_EQ(val.front()[1], kFirstWord + 150);
  EXPECT_EQ(val.back()[1], kFirstWord + 180);
}

TEST_F(BuildTest, SaysWhatIsWrong) {
  const std::string nothing = folder_.write("nothing.jsonl", "{\"text\":\" \"}\n");
  EXPECT_THAT(refusal_of(options(nothing, "out"), ErrorKind::kInput), HasSubstr("no document"));
  BuildOptions single = options(folder_.write("one.txt", "w1 w2"), "out");
  single.valid_fraction = 0.5;
  EXPECT_THAT(refusal_of(single, ErrorKind::kInput), HasSubstr("one document of one piece"));
  BuildOptions all =
      options(folder_.write("two.jsonl", "{\"text\":\"w1\"}\n{\"text\":\"w2\"}\n"), "out");
  all.valid_fraction = 0.999999;
  EXPECT_THAT(refusal_of(all, ErrorKind::kInput), HasSubstr("leaves no document to train on"));
  BuildOptions tight = options(corpus(5), "out");
  tight.length = 2;
  EXPECT_THAT(refusal_of(tight, ErrorKind::kUsage), HasSubstr("leaves no room"));
  EXPECT_THAT(refusal_of(options(folder_.path("none"), "out"), ErrorKind::kInput),
              HasSubstr("none"));
  EXPECT_THAT(refusal_of(options(folder_.write("bad.jsonl", "{}\n"), "out"), ErrorKind::kInput),
              HasSubstr("bad.jsonl:1: "));
  EXPECT_FALSE(std::filesystem::exists(folder_.path("out")));  // nothing was begun
}

TEST_F(BuildTest, OfADocumentThatIsCutTheFirstIds) {
  const std::string blank = std::string(40'000, ' ');  // more than the first part that is looked at
  const std::vector<std::string> texts = {"w1", blank, words(3, 150'000), blank + "w2 w3 w4",
                                          "w5 w6 w7"};
  std::string lines;
  for (const std::string& text : texts) lines += "{\"text\":\"" + text + "\"}\n";
  ThreadPool pool(3);
  DocumentReader reader(list_input_files({folder_.write("long.jsonl", lines)}), {});
  DocumentTokens source(reader, tokenizer_, pool, 2);
  std::vector<TokenizedDocument> documents;
  source.next(documents);
  ASSERT_EQ(documents.size(), texts.size());
  for (size_t i = 0; i < texts.size(); ++i) {
    std::vector<int32_t> expected = TextTokens(tokenizer_).ids(texts[i]);
    expected.resize(std::min<size_t>(expected.size(), 2));
    EXPECT_EQ(documents[i].ids, expected) << i;
    EXPECT_EQ(documents[i].hash, hash_of_text(texts[i])) << i;  // of all of it
  }
}

TEST_F(BuildTest, OneLongDocumentIsTokenisedInParts) {
  const std::string text = words(3, 150'000);
  ASSERT_GT(text.size(), size_t{1} << 19);
  ThreadPool pool(3);
  DocumentReader reader(list_input_files({folder_.write("long.txt", text)}), {});
  DocumentTokens source(reader, tokenizer_, pool);
  std::vector<TokenizedDocument> documents;
  source.next(documents);
  ASSERT_EQ(documents.size(), 1u);
  EXPECT_EQ(documents[0].ids, TextTokens(tokenizer_).ids(text));
  EXPECT_EQ(documents[0].hash, hash_of_text(text));
  source.next(documents);
  EXPECT_TRUE(documents.empty());
}

}  // namespace
}  // namespace m2
