#include "tokenizer/tokenizer_files.h"

#include <gmock/gmock.h>

#include "core/log.h"
#include "tokenizer/tokenizer_fixture.h"

namespace m2 {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using testing::TemporaryFolder;
using testing::tokens_of;

json special(const std::string& content, int id) {
  return {{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", false}, {"special", true}};
}

json sequence(const std::string& name, int type) {
  return {{"Sequence", {{"id", name}, {"type_id", type}}}};
}

json special_piece(const std::string& name, int type) {
  return {{"SpecialToken", {{"id", name}, {"type_id", type}}}};
}

json tokenizer_json() {
  return {
      {"version", "1.0"},
      {"truncation", {{"max_length", 2}}},
      {"padding", nullptr},
      {"added_tokens", {special("[UNK]", 0), special("[CLS]", 1), special("[SEP]", 2)}},
      {"normalizer",
       {{"type", "BertNormalizer"},
        {"clean_text", true},
        {"handle_chinese_chars", true},
        {"strip_accents", nullptr},
        {"lowercase", true}}},
      {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
      {"post_processor",
       {{"type", "TemplateProcessing"},
        {"single", {special_piece("[CLS]", 0), sequence("A", 0), special_piece("[SEP]", 0)}},
        {"pair", {sequence("A", 0), special_piece("[SEP]", 0), sequence("B", 1)}},
        {"special_tokens",
         {{"[CLS]", {{"id", "[CLS]"}, {"ids", {1}}, {"tokens", {"[CLS]"}}}},
          {"[SEP]", {{"id", "[SEP]"}, {"ids", {2}}, {"tokens", {"[SEP]"}}}}}}}},
      {"decoder", {{"type", "WordPiece"}}},
      {"model",
       {{"type", "WordPiece"},
        {"unk_token", "[UNK]"},
        {"continuing_subword_prefix", "##"},
        {"max_input_chars_per_word", 100},
        {"vocab",
         {{"[UNK]", 0}, {"[CLS]", 1}, {"[SEP]", 2}, {"a", 3}, {"##b", 4}, {"é", 5}, {"E", 6}}}}}};
}

TEST(TokenizerJson, LoadsFromFileAndFolder) {
  const TemporaryFolder folder;
  const std::string file = folder.write("tokenizer.json", tokenizer_json().dump());
  for (const std::string& path : {file, folder.path()}) {
    const Tokenizer tokenizer = Tokenizer::load(path);
    EXPECT_THAT(tokenizer.encode("Ab a").ids, ElementsAre(1, 3, 4, 3, 2));
    EXPECT_THAT(tokenizer.encode_pair("a", "a").ids, ElementsAre(3, 2, 3));
    EXPECT_THAT(tokenizer.encode_pair("a", "a").type_ids, ElementsAre(0, 0, 1));
    EXPECT_EQ(tokenizer.special_ids().cls, 1);
    EXPECT_EQ(tokenizer.special_ids().mask, -1);
  }
}

TEST(TokenizerJson, ASequenceOfOneIsThatOne) {
  const TemporaryFolder folder;
  json document = tokenizer_json();
  const json normalizer = document["normalizer"];
  document["normalizer"] = {{"type", "Sequence"}, {"normalizers", {normalizer}}};
  document["post_processor"] = {
      {"type", "BertProcessing"}, {"sep", {"[SEP]", 2}}, {"cls", {"[CLS]", 1}}};
  const std::string file = folder.write("tokenizer.json", document.dump());
  EXPECT_THAT(Tokenizer::load(file).encode("É").ids, ElementsAre(1, 0, 2));
  document["normalizer"]["normalizers"].push_back(normalizer);
  folder.write("tokenizer.json", document.dump());
  EXPECT_THAT(error_of(ErrorKind::kInput, [&] { Tokenizer::load(file); }),
              AllOf(HasSubstr(file), HasSubstr("normalizer.normalizers has several steps")));
}

struct Fault {
  const char* pointer;  // RFC 6901, of the value to replace
  json value;
  const char* message;
};

const std::vector<Fault>& faults() {
  static const std::vector<Fault> all = {
      {"/version", "2.0", "version is not '1.0'"},
      {"/model/type", "BPE", "model.type is 'BPE'; only WordPiece"},
      {"/model/type", "Unigram\n", "is 'Unigram\\x0a'"},
      {"/model/unk_token", "<unk>", "lacks the unknown token '<unk>'"},
      {"/model/max_input_chars_per_word", -1, "must be a whole number"},
      {"/model/max_input_chars_per_word", 100000, "is more than 1000"},
      {"/model/vocab", json::array(), "must be an object"},
      {"/model/vocab/a", 4, "model.vocab.a has the id 4, which another"},
      {"/model/vocab/a", 7, "has the id 7; the 7 tokens' ids must be 0 and up"},
      {"/model/vocab/a", -3, "must be a whole number"},
      {"/model/vocab/a", 3.5, "must be a whole number"},
      {"/model/vocab/a", uint64_t{1} << 63, "must be a whole number"},
      {"/normalizer/type", "NFC", "normalizer.type is 'NFC'; only BertNormalizer"},
      {"/normalizer/lowercase", "yes", "normalizer.lowercase must be true or false"},
      {"/pre_tokenizer", nullptr, "pre_tokenizer is null; only BertPreTokenizer"},
      {"/pre_tokenizer/type", "Whitespace", "is 'Whitespace'; only BertPreTokenizer"},
      {"/post_processor/type", "RobertaProcessing", "is 'RobertaProcessing'; only Template"},
      {"/post_processor/single/1/Sequence/id", "B", "post_processor.single must hold A once"},
      {"/post_processor/single/1/Sequence/id", "C", "must be 'A' or 'B'"},
      {"/post_processor/pair/2/Sequence/id", "A", "must hold A and B once each"},
      {"/post_processor/single/0/SpecialToken/id", "[X]",
       "lacks post_processor.special_tokens.[X]"},
      {"/post_processor/special_tokens/[SEP]/ids", {9}, "sets the token id 9, but ids end at 6"},
      {"/post_processor/special_tokens/[SEP]/ids/0", -1, "must be a whole number"},
      {"/added_tokens/0/content", "", "added token '' is empty"},
      {"/added_tokens/0/id", 5, "'[UNK]' has the id 5 where the vocabulary makes it 0"},
      {"/added_tokens/0/content", "new", "'new' has the id 0 where the vocabulary makes it 7"},
      {"/added_tokens/1", special("[UNK]", 0), "'[UNK]' is listed twice"},
      {"/added_tokens/0", {{"content", "x"}}, "lacks added_tokens[0].id"},
      {"/added_tokens/0", 3, "added_tokens[0] must be an object"},
      {"/added_tokens", {{"a", 1}}, "added_tokens must be a list"},
      {"/added_tokens/0/content", std::string(2000, 'x'), "longer than 1000 bytes"},
  };
  return all;
}

TEST(TokenizerJson, NamesFileAndFault) {
  const TemporaryFolder folder;
  for (const Fault& fault : faults()) {
    json document = tokenizer_json();
    document[json::json_pointer(fault.pointer)] = fault.value;
    const std::string file = folder.write("tokenizer.json", document.dump());
    EXPECT_THAT(error_of(ErrorKind::kInput, [&] { Tokenizer::load(file); }),
                AllOf(HasSubstr(file + ": "), HasSubstr(fault.message)))
        << fault.pointer;
  }
}

TEST(TokenizerJson, AddedTokensThatCannotMatchAreRefused) {
  const TemporaryFolder folder;
  json document = tokenizer_json();
  json accent = special("\u0301", 7);
  accent["normalized"] = true;
  document["added_tokens"].push_back(accent);
  const std::string file = folder.write("tokenizer.json", document.dump());
  EXPECT_THAT(error_of(ErrorKind::kInput, [&] { Tokenizer::load(file); }),
              HasSubstr("removed by the normalizer"));
  document["added_tokens"][3]["content"] = "Foo";
  document["added_tokens"].push_back(document["added_tokens"][3]);
  document["added_tokens"][4]["content"] = "foo";
  document["added_tokens"][4]["id"] = 8;
  folder.write("tokenizer.json", document.dump());
  EXPECT_THAT(error_of(ErrorKind::kInput, [&] { Tokenizer::load(file); }),
              HasSubstr("'foo' cannot be told from another"));
}

TEST(TokenizerJson, SurvivesDamage) {
  const TemporaryFolder folder;
  const std::string whole = tokenizer_json().dump();
  const auto load = [&](const std::string& content) {
    const std::string file = folder.write("tokenizer.json", content);
    return error_of(ErrorKind::kInput, [&] { Tokenizer::load(file); });
  };
  for (size_t size = 0; size < whole.size(); size += 7) load(whole.substr(0, size));
  EXPECT_THAT(load(std::string(1000000, '[')), HasSubstr("deeper than 64"));
  std::string nested;
  for (int i = 0; i < 100000; ++i) nested += "{\"a\":";
  EXPECT_THAT(load(nested), HasSubstr("deeper than 64"));
  EXPECT_THAT(load("[]"), HasSubstr("holds no JSON object"));
  EXPECT_THAT(load("{}"), HasSubstr("lacks model"));
  EXPECT_THAT(load("{\"model\": 1e999}"), HasSubstr("cannot be read as JSON"));
  EXPECT_THAT(load("{\"a\": \"\xFF\"}"), HasSubstr("no JSON from byte"));
  EXPECT_THAT(load("{\"model\": {\"vocab\": {\"a\": 0, \"a\": 1}}}"),
              HasSubstr("gives the key 'a' twice"));
}

TEST(TokenizerJson, TooLargeAFileIsNotRead) {
  const TemporaryFolder folder;
  const std::string file = folder.write("tokenizer.json", "{}");
  std::filesystem::resize_file(file, kMaxTokenizerBytes + 1);
  EXPECT_THAT(error_of(ErrorKind::kInput, [&] { Tokenizer::load(file); }), HasSubstr("more than"));
}

TEST(TokenizerJson, TheConfigurationOverrulesTheNormalizer) {
  const TemporaryFolder folder;
  folder.write("tokenizer.json", tokenizer_json().dump());
  std::vector<std::string> warnings;
  set_log_sink([&](LogLevel, const std::string& message) { warnings.push_back(message); });
  folder.write("tokenizer_config.json",
               R"({"do_lower_case": false, "tokenizer_class": "BertTokenizer"})");
  EXPECT_THAT(tokens_of(Tokenizer::load(folder.path()), "E é"), ElementsAre("E", "é"));
  EXPECT_THAT(warnings, ElementsAre(HasSubstr("do_lower_case overrules")));
  folder.write("tokenizer_config.json",
               R"({"do_lower_case": false, "tokenizer_class": "PreTrainedTokenizerFast"})");
  EXPECT_THAT(tokens_of(Tokenizer::load(folder.path()), "E é"), ElementsAre("[UNK]", "[UNK]"));
  set_log_sink({});
}

constexpr const char* kLines = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n##b\nÉ\n";

TEST(VocabularyFile, LinesAreIds) {
  const TemporaryFolder folder;
  const std::string file = folder.write("vocab.txt", kLines);
  for (const std::string& path : {file, folder.path()}) {
    const Tokenizer tokenizer = Tokenizer::load(path);
    EXPECT_EQ(tokenizer.vocab_size(), 8);
    EXPECT_THAT(tokenizer.encode("AB [MASK]").ids, ElementsAre(2, 5, 6, 4, 3));
    EXPECT_EQ(tokenizer.special_ids().mask, 4);
  }
}

TEST(VocabularyFile, BlanksAtTheEndOfALineAreNoPartOfTheToken) {
  const TemporaryFolder folder;
  const std::string file = folder.write("v", "[UNK]\r\n[CLS] \r\n[SEP]\u3000\r\n\r\na\r\n\n");
  const Tokenizer tokenizer = Tokenizer::load(file);
  EXPECT_EQ(tokenizer.vocab_size(), 6);
  EXPECT_EQ(tokenizer.token_text(3), "");
  EXPECT_EQ(tokenizer.id_of("a"), 4);
  EXPECT_EQ(tokenizer.special_ids().pad, -1);
  EXPECT_THAT(tokenizer.encode("a").ids, ElementsAre(1, 4, 2));
}

TEST(VocabularyFile, TheConfigurationSetsTheSwitches) {
  const TemporaryFolder folder;
  folder.write("vocab.txt", kLines);
  folder.write("tokenizer_config.json", R"({"do_lower_case": false, "mask_token": "a"})");
  const Tokenizer tokenizer = Tokenizer::load(folder.path());
  EXPECT_THAT(tokens_of(tokenizer, "É é"), ElementsAre("É", "[UNK]"));
  EXPECT_EQ(tokenizer.special_ids().mask, 5);
  folder.write("special_tokens_map.json",
               R"({"mask_token": {"content": "[MASK]", "lstrip": true}})");
  EXPECT_EQ(Tokenizer::load(folder.path()).special_ids().mask, 4);
  EXPECT_THAT(Tokenizer::load(folder.path()).encode("a [MASK]").offsets,
              ElementsAre(Offsets{}, Offsets{0, 1}, Offsets{1, 8}, Offsets{}));
}

TEST(VocabularyFile, NamesFileAndFault) {
  const TemporaryFolder folder;
  const auto load = [&](const std::string& content) {
    const std::string file = folder.write("vocab.txt", content);
    const std::string message =
        error_of(ErrorKind::kInput, [&] { Tokenizer::load(folder.path()); });
    EXPECT_THAT(message, HasSubstr(file + ": "));
    return message;
  };
  const std::string lines = kLines;
  EXPECT_THAT(load(""), HasSubstr("is empty; a vocabulary has one token a line"));
  EXPECT_THAT(load(lines + "a\n"), HasSubstr("token 'a' has the ids 5 and 8"));
  EXPECT_THAT(load(lines + "\xFF\n"), HasSubstr("not UTF-8 at byte 40"));
  EXPECT_THAT(load("[UNK]\n[SEP]\n"), HasSubstr("lacks the special token '[CLS]'"));
  EXPECT_THAT(load("[CLS]\n[SEP]\n"), HasSubstr("lacks the unknown token '[UNK]'"));
  EXPECT_THAT(load(lines + std::string(1001, 'x')), HasSubstr("line 9 is longer"));
}

TEST(VocabularyFile, ConfigurationFaultsNameTheirFile) {
  const TemporaryFolder folder;
  folder.write("vocab.txt", kLines);
  const auto load = [&](const std::string& content) {
    const std::string file = folder.write("tokenizer_config.json", content);
    const std::string message =
        error_of(ErrorKind::kInput, [&] { Tokenizer::load(folder.path()); });
    EXPECT_THAT(message, HasSubstr(file + ": "));
    return message;
  };
  EXPECT_THAT(load(R"({"tokenizer_class": "BertJapaneseTokenizer"})"),
              HasSubstr("tokenizer_class is 'BertJapaneseTokenizer'"));
  EXPECT_THAT(load(R"({"do_lower_case": 1})"), HasSubstr("do_lower_case must be true or false"));
  EXPECT_THAT(load(R"({"cls_token": 1})"), HasSubstr("cls_token must be an object"));
  EXPECT_THAT(load(R"({"added_tokens_decoder": {"x": {"content": "y"}}})"),
              HasSubstr("added_tokens_decoder.x is no token id"));
  EXPECT_THAT(load("{"), HasSubstr("is no JSON"));
}

TEST(Load, MissingFiles) {
  const TemporaryFolder folder;
  EXPECT_THAT(error_of(ErrorKind::kInput, [&] { Tokenizer::load(folder.path()); }),
              HasSubstr("holds neither tokenizer.json nor vocab.txt"));
  for (const char* name : {"/none", "/none.json"}) {
    EXPECT_THAT(error_of(ErrorKind::kInput, [&] { Tokenizer::load(folder.path() + name); }),
                HasSubstr(folder.path() + name));
  }
  error_of(ErrorKind::kInput, [&] { Tokenizer::load(std::string(10000, 'x')); });
}

}  // namespace
}  // namespace m2
