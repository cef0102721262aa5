#include "checkpoint/pickle.h"

#include <cstdlib>

#include "checkpoint/test_files.h"

namespace m2 {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Pickle read(const std::string& bytes) {
  return read_pickle(as_span(bytes), "f.pkl");
}

std::string refusal_of(const std::string& bytes) {
  return refusal([&] { read(bytes); });
}

// The root of a pickle whose text outlives the call.
int64_t integer_of(const std::string& value) {
  const std::string bytes = pickle_of(value);
  const Pickle pickle = read(bytes);
  EXPECT_EQ(pickle.root().kind, PickleKind::kInteger);
  return pickle.root().integer;
}

PickleKind kind_of(const std::string& value) {
  const std::string bytes = pickle_of(value);
  return read(bytes).root().kind;
}

TEST(Pickle, ReadsNumbers) {
  EXPECT_EQ(integer_of("K\xff"), 255);
  EXPECT_EQ(integer_of("M\xff\xff"), 65535);
  EXPECT_EQ(integer_of("J\xff\xff\xff\xff"), -1);
  EXPECT_EQ(integer_of(std::string("\x8a\x00", 2)), 0);
  EXPECT_EQ(integer_of("\x8a\x01\x80"), -128);
  EXPECT_EQ(integer_of(std::string("\x8a\x02\x80\x00", 4)), 128);
  EXPECT_EQ(integer_of("\x8a\x08" + raw(INT64_MIN)), INT64_MIN);
  EXPECT_EQ(integer_of("\x8b" + raw(uint32_t{1}) + "\x05"), 5);
  EXPECT_EQ(integer_of("L-12L\n"), -12);
  EXPECT_EQ(integer_of("I7\n"), 7);
  EXPECT_EQ(kind_of("I01\n"), PickleKind::kBool);
  EXPECT_EQ(kind_of("L99999999999999999999L\n"), PickleKind::kBigInteger);
  EXPECT_EQ(kind_of("\x8a\x09" + std::string(9, '\x7f')), PickleKind::kBigInteger);
  EXPECT_EQ(kind_of("G" + raw(1.5)), PickleKind::kFloat);
  EXPECT_EQ(kind_of("F1.5\n"), PickleKind::kFloat);
  EXPECT_THAT(refusal_of(pickle_of("I1x\n")), HasSubstr("bad integer"));
}

TEST(Pickle, ReadsContainers) {
  const std::string bytes = pickle_of("(K\x01K\x02t");
  const Pickle pickle = read(bytes);
  ASSERT_EQ(pickle.root().kind, PickleKind::kTuple);
  ASSERT_EQ(pickle.root().items.size(), 2u);
  EXPECT_EQ(pickle.value(pickle.root().items[1]).integer, 2);
  EXPECT_EQ(kind_of("](K\x01K\x02"
                    "e"),
            PickleKind::kList);
  EXPECT_EQ(kind_of("]K\x01"
                    "a"),
            PickleKind::kList);
  EXPECT_EQ(kind_of("}K\x01K\x02s"), PickleKind::kDict);
  EXPECT_EQ(kind_of("(K\x01K\x02"
                    "d"),
            PickleKind::kDict);
  EXPECT_EQ(kind_of("\x8f(K\x01\x90"), PickleKind::kSet);
  EXPECT_EQ(kind_of("(K\x01\x91"), PickleKind::kSet);
  EXPECT_THAT(refusal_of(pickle_of("}(K\x01u")), HasSubstr("key without a value"));
  EXPECT_THAT(refusal_of(pickle_of("K\x01K\x02"
                                   "a")),
              HasSubstr("no container"));
}

TEST(Pickle, ReadsTheMemo) {
  const std::string bytes = pickle_of("]q\x05h\x05\x86");
  const std::string shared = pickle_of("]q\x05h\x05h\x05\x87");
  const Pickle pickle = read(shared);
  const auto& items = pickle.root().items;
  ASSERT_EQ(items.size(), 3u);
  EXPECT_EQ(items[0], items[2]);
  EXPECT_EQ(read(bytes).root().items.size(), 2u);
  // A list that holds itself.
  const std::string cycle =
      pickle_of("]q" + std::string(1, '\0') + "h" + std::string(1, '\0') + "a");
  EXPECT_EQ(read(cycle).root().kind, PickleKind::kList);
  EXPECT_THAT(refusal_of(pickle_of("h\x05")), HasSubstr("not remembered"));
  EXPECT_THAT(refusal_of(pickle_of("q\x05")), HasSubstr("empty stack"));
}

TEST(Pickle, HandsOutCallsAsData) {
  const std::string bytes = pickle_of(p_call(p_global("builtins", "eval"), {p_text("1/0")}) + "}b");
  const Pickle pickle = read(bytes);
  ASSERT_EQ(pickle.root().kind, PickleKind::kObject);
  EXPECT_TRUE(pickle.root().has_state);
  EXPECT_EQ(pickle.value(pickle.root().items[0]).text, "builtins.eval");
  EXPECT_EQ(pickle.value(pickle.value(pickle.root().items[1]).items[0]).text, "1/0");
  EXPECT_THAT(pickle.globals(), ElementsAre("builtins.eval"));
}

TEST(Pickle, RunsNothing) {
  const TestFolder folder;
  const std::string marker = folder.path("marker");
  const std::vector<std::string> arguments = {p_text("touch '" + marker + "'")};
  const std::string name = p_text("os") + p_text("system") + "\x93";
  for (const std::string& callable :
       {p_global("os", "system"), p_global("posix", "system"), name}) {
    const std::string call = callable + p_tuple(arguments);
    // REDUCE, NEWOBJ, NEWOBJ_EX and BUILD on the result
    for (const std::string& op :
         {std::string("R"), std::string("\x81"), std::string("}\x92"), std::string("R}b")}) {
      const std::string bytes = pickle_of(call + op);
      EXPECT_EQ(read(bytes).root().kind, PickleKind::kObject);
    }
  }
  EXPECT_FALSE(std::filesystem::exists(marker));
  // The command does leave a mark when it runs.
  ASSERT_EQ(std::system(("touch '" + marker + "'").c_str()), 0);
  EXPECT_TRUE(std::filesystem::exists(marker));
}

TEST(Pickle, RefusesOpcodesOutsideTheList) {
  // INST and OBJ call, EXT1 asks a registry, NEXT_BUFFER and READONLY_BUFFER another channel.
  for (const std::string& op :
       {std::string("(ios\nsystem\n"), std::string("(o"), std::string("\x82\x01"),
        std::string("\x97"), std::string("N\x98"), std::string("S'a'\n"), std::string("\xff")}) {
    EXPECT_THAT(refusal_of(pickle_of(op)), HasSubstr("opcode"));
  }
  EXPECT_THAT(refusal_of("\x80\x06N."), HasSubstr("unknown protocol"));
}

TEST(Pickle, RefusesEveryCut) {
  const std::string whole =
      pickle_of(p_ordered_dict({{"a", p_tensor({.shape = {2}, .strides = {1}})}}));
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_THAT(refusal_of(whole.substr(0, size)), HasSubstr("f.pkl")) << size;
  }
  EXPECT_THAT(refusal_of(whole + "N"), HasSubstr("one value"));
}

TEST(Pickle, SurvivesEveryFlippedBit) {
  const std::string whole =
      pickle_of(p_ordered_dict({{"a", p_tensor({.shape = {2}, .strides = {1}})}}));
  for_each_flip(whole, whole.size(), [](const std::string& bytes) { takes([&] { read(bytes); }); });
}

TEST(Pickle, KeepsValuesBelowAMark) {
  EXPECT_THAT(refusal_of(pickle_of("K\x01(\x85")), HasSubstr("empty stack"));
  EXPECT_THAT(refusal_of(pickle_of("]K\x01(a")), HasSubstr("empty stack"));
  EXPECT_THAT(refusal_of(pickle_of("t")), HasSubstr("not opened"));
  EXPECT_THAT(refusal_of(pickle_of("(N")), HasSubstr("one value"));
  EXPECT_THAT(refusal_of(pickle_of("NN")), HasSubstr("one value"));
  EXPECT_EQ(kind_of("N(0"), PickleKind::kNone);
  EXPECT_EQ(kind_of("N(NN1"), PickleKind::kNone);
  EXPECT_EQ(kind_of("NN0"), PickleKind::kNone);
}

TEST(Pickle, SurvivesDeepNesting) {
  constexpr size_t kLevels = 100'000;
  const std::string lists = std::string(kLevels, ']') + std::string(kLevels - 1, 'a');
  EXPECT_EQ(kind_of(lists), PickleKind::kList);
  EXPECT_EQ(kind_of(")" + std::string(kLevels, '\x85')), PickleKind::kTuple);
  std::string calls = p_global("a", "b");
  for (size_t i = 0; i < kLevels; ++i) calls += ")R";
  EXPECT_EQ(kind_of(calls), PickleKind::kObject);
  EXPECT_THAT(refusal_of(pickle_of(std::string(kLevels, '(') + std::string(kLevels, 't'))),
              HasSubstr("nested too deep"));
}

TEST(Pickle, LimitsMemory) {
  EXPECT_THAT(refusal_of(pickle_of(std::string(kMaxPickleValues + 1, 'N'))),
              HasSubstr("too many values"));
  // Each level holds the one below twice: 2^1000 leaves if anyone followed them.
  std::string laughs = ")";
  for (int i = 0; i < 1000; ++i) laughs += "q\x01h\x01\x86";
  EXPECT_EQ(kind_of(laughs), PickleKind::kTuple);
  // Lengths that lie: a text, a frame and a number longer than the file.
  for (const std::string& lie :
       {"X" + raw(~uint32_t{0}), "\x8d" + raw(~uint64_t{0}), "\x8e" + raw(~uint64_t{0}),
        "\x95" + raw(~uint64_t{0}), "\x8b" + raw(~uint32_t{0})}) {
    EXPECT_THAT(refusal_of(pickle_of(lie)), HasSubstr("cut short"));
  }
  EXPECT_EQ(kind_of("Nr" + raw(~uint32_t{0})), PickleKind::kNone);
  EXPECT_THAT(refusal_of(pickle_of(p_global(std::string(2000, 'a'), "b"))), HasSubstr("absurd"));
}

}  // namespace
}  // namespace m2
