#include "checkpoint/torch_file.h"

#include "checkpoint/test_files.h"

namespace m2 {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const TensorPickle kMatrix{.shape = {2, 3}, .strides = {3, 1}};

std::unique_ptr<TorchFile> open(const std::string& bytes, const ZipLimits& limits = {}) {
  return std::make_unique<TorchFile>(as_span(bytes), "f.bin", limits);
}

std::string refusal_of(const std::string& bytes) {
  return refusal([&] { open(bytes); });
}

std::string refusal_of_tensor(const TensorPickle& tensor) {
  return refusal_of(torch_archive(p_dict({{"w", p_tensor(tensor)}})));
}

std::string unknown_call(const std::string& name) {
  return p_call(p_global("some.module", name), {p_tensor(kMatrix)});
}

TEST(TorchFile, ReadsContiguousTensorsInPlace) {
  const std::string bytes =
      torch_archive(p_ordered_dict({{"a", p_tensor(kMatrix)},
                                    {"tail", p_tensor({.shape = {2}, .strides = {1}, .offset = 4})},
                                    {"scalar", p_tensor({.shape = {}, .strides = {}, .offset = 3})},
                                    {"none", p_tensor({.shape = {0, 9}, .strides = {9, 1}})}}));
  const auto file = open(bytes);
  EXPECT_THAT(file->names(), ElementsAre("a", "tail", "scalar", "none"));
  EXPECT_THAT(file->find("a")->shape, ElementsAre(2, 3));
  EXPECT_EQ(bytes_of(file->find("a")), floats(6));
  EXPECT_EQ(bytes_of(file->find("tail")), floats(6).substr(16));
  EXPECT_EQ(bytes_of(file->find("scalar")), raw(3.0f));
  EXPECT_EQ(bytes_of(file->find("none")), "");
  const auto* data = static_cast<const char*>(file->find("a")->data);
  EXPECT_TRUE(data > bytes.data() && data < bytes.data() + bytes.size());
  EXPECT_EQ(file->find("b"), nullptr);
  EXPECT_TRUE(file->ignored().empty());
}

TEST(TorchFile, CopiesStridedViews) {
  const std::string bytes = torch_archive(p_dict(
      {{"transposed", p_tensor({.shape = {3, 2}, .strides = {1, 3}})},
       {"column", p_tensor({.shape = {2}, .strides = {3}, .offset = 1})},
       {"expanded", p_tensor({.shape = {2, 2}, .strides = {0, 1}, .offset = 4})},
       {"any_stride",
        p_tensor({.shape = {1, 2, 1}, .strides = {INT64_MAX, 3, INT64_MAX}, .offset = 2})}}));
  const auto file = open(bytes);
  const auto of = [](std::initializer_list<float> values) {
    std::string out;
    for (const float value : values) out += raw(value);
    return out;
  };
  EXPECT_EQ(bytes_of(file->find("transposed")), of({0, 3, 1, 4, 2, 5}));
  EXPECT_EQ(bytes_of(file->find("column")), of({1, 4}));
  EXPECT_EQ(bytes_of(file->find("expanded")), of({4, 5, 4, 5}));
  EXPECT_EQ(bytes_of(file->find("any_stride")), of({2, 5}));
}

TEST(TorchFile, ReadsDeflatedStorages) {
  const std::string bytes = make_zip({{.name = "x/data.pkl",
                                       .content = pickle_of(p_dict({{"a", p_tensor(kMatrix)}})),
                                       .deflate = true},
                                      {.name = "x/data/0", .content = floats(6), .deflate = true}});
  EXPECT_EQ(bytes_of(open(bytes)->find("a")), floats(6));
}

TEST(TorchFile, FindsTheWeights) {
  const std::string weights = p_ordered_dict({{"a", p_tensor(kMatrix)}});
  const std::string other = p_dict({{"b", p_tensor(kMatrix)}});
  for (const std::string& value :
       {weights, p_dict({{"model", weights}}), p_dict({{"state_dict", weights}, {"model", other}}),
        p_dict({{"state", p_dict({{"model", weights}, {"optimizers", other}})}, {"rng", "N"}}),
        p_dict({{"model", weights}, {"state", p_dict({{"step", "K\x01"}})}})}) {
    EXPECT_THAT(open(torch_archive(value))->names(), ElementsAre("a"));
  }
  EXPECT_THAT(refusal_of(torch_archive(unknown_call("Net"))), HasSubstr("some.module.Net"));
  EXPECT_THAT(refusal_of(torch_archive(p_tensor(kMatrix))), HasSubstr("not a dictionary"));
  EXPECT_THAT(refusal_of(torch_archive("]")), HasSubstr("a list"));
}

TEST(TorchFile, UnwrapsParameters) {
  const std::string parameter = p_call(p_global("torch._utils", "_rebuild_parameter"),
                                       {p_tensor(kMatrix), "\x88", p_ordered_dict({})});
  EXPECT_EQ(bytes_of(open(torch_archive(p_dict({{"a", parameter}})))->find("a")), floats(6));
}

TEST(TorchFile, RefusesOnlyWantedPlaceholders) {
  const std::string parameter = p_call(p_global("torch._utils", "_rebuild_parameter"),
                                       {unknown_call("Shape"), "\x88", p_ordered_dict({})});
  const std::string bytes = torch_archive(p_dict(
      {{"a", p_tensor(kMatrix)},
       {"wrapped", unknown_call("Wrapper")},
       {"parameter", parameter},
       {"complex", p_tensor({.shape = {1}, .strides = {1}, .storage_class = "ComplexStorage"})},
       {"count", "K\x05"},
       {"nested", p_dict({{"b", p_tensor(kMatrix)}})}}));
  const auto file = open(bytes);
  EXPECT_THAT(file->names(), ElementsAre("a"));
  EXPECT_THAT(file->ignored(),
              ElementsAre("some.module.Shape", "some.module.Wrapper", "torch.ComplexStorage"));
  const auto wanted = [&](const char* name) { return refusal([&] { file->find(name); }); };
  EXPECT_THAT(wanted("wrapped"), HasSubstr("some.module.Wrapper"));
  EXPECT_THAT(wanted("parameter"), HasSubstr("some.module.Shape"));
  EXPECT_THAT(wanted("complex"), HasSubstr("torch.ComplexStorage"));
  EXPECT_THAT(wanted("count"), HasSubstr("an int"));
  EXPECT_THAT(wanted("nested"), HasSubstr("a dict"));
}

TEST(TorchFile, RunsNothing) {
  const TestFolder folder;
  const std::string marker = folder.path("marker");
  const std::string attack = p_call(p_global("os", "system"), {p_text("touch '" + marker + "'")});
  const auto file = open(torch_archive(p_dict({{"a", p_tensor(kMatrix)}, {"evil", attack}})));
  EXPECT_FALSE(std::filesystem::exists(marker));
  EXPECT_THAT(file->ignored(), ElementsAre("os.system"));
  EXPECT_THAT(refusal([&] { file->find("evil"); }), HasSubstr("os.system"));
}

TEST(TorchFile, RefusesNumbersThatLie) {
  EXPECT_THAT(refusal_of_tensor({.shape = {7}, .strides = {1}}), HasSubstr("beyond its storage"));
  EXPECT_THAT(refusal_of_tensor({.shape = {6}, .strides = {1}, .offset = 1}),
              HasSubstr("beyond its storage"));
  EXPECT_THAT(refusal_of_tensor({.shape = {2}, .strides = {1}, .offset = -1}),
              HasSubstr("beyond its storage"));
  EXPECT_THAT(refusal_of_tensor({.shape = {2}, .strides = {-1}, .offset = 5}),
              HasSubstr("beyond its storage"));
  EXPECT_THAT(refusal_of_tensor({.shape = {3}, .strides = {INT64_MAX}}),
              HasSubstr("beyond its storage"));
  EXPECT_THAT(refusal_of_tensor({.shape = {-1}, .strides = {1}}), HasSubstr("impossible shape"));
  EXPECT_THAT(refusal_of_tensor({.shape = {INT64_MAX, 4}, .strides = {0, 0}}),
              HasSubstr("impossible shape"));
  EXPECT_THAT(refusal_of_tensor({.shape = {2}, .strides = {1}, .elements = 7}),
              HasSubstr("24 bytes"));
  EXPECT_THAT(refusal_of_tensor({.shape = {2}, .strides = {1}, .elements = -1}),
              HasSubstr("24 bytes"));
  EXPECT_THAT(refusal_of_tensor({.shape = {2}, .strides = {1}, .key = "1"}),
              HasSubstr("does not hold"));
  EXPECT_THAT(refusal_of_tensor({.shape = {2}, .strides = {1}, .key = "../data.pkl"}),
              HasSubstr("does not hold"));
  EXPECT_THAT(refusal_of_tensor({.shape = {2, 1}, .strides = {1}}), HasSubstr("damaged"));
  // A stride of 0 repeats one element: 4 TB of them.
  EXPECT_THAT(refusal_of_tensor({.shape = {int64_t{1} << 40}, .strides = {0}}),
              HasSubstr("repeats its elements"));
}

TEST(TorchFile, RefusesDamagedDescriptions) {
  const std::string rebuild = p_global("torch._utils", "_rebuild_tensor_v2");
  for (const std::string& value :
       {p_call(rebuild, {}), p_call(rebuild, {"N", "N", "N", "N", "N", "N"}),
        p_tensor(kMatrix) + "}b", p_call(p_global("torch._utils", "_rebuild_parameter"), {})}) {
    EXPECT_THAT(refusal_of(torch_archive(p_dict({{"w", value}}))), HasSubstr("\"w\""));
  }
}

TEST(TorchFile, RefusesNamesTwice) {
  EXPECT_THAT(refusal_of(torch_archive(p_dict({{"w", "N"}, {"w", p_tensor(kMatrix)}}))),
              HasSubstr("twice"));
  EXPECT_THAT(refusal_of(torch_archive(p_dict({{"\xff", p_tensor(kMatrix)}}))), HasSubstr("UTF-8"));
}

TEST(TorchFile, RefusesOtherArchives) {
  const std::string data = pickle_of(p_dict({{"a", p_tensor(kMatrix)}}));
  EXPECT_THAT(refusal_of(make_zip({{.name = "readme", .content = "x"}})), HasSubstr("no data.pkl"));
  EXPECT_THAT(refusal_of(make_zip({{.name = "data.pkl", .content = data}})),
              HasSubstr("no data.pkl"));
  EXPECT_THAT(refusal_of(make_zip({{.name = "a/data.pkl", .content = data},
                                   {.name = "b/data.pkl", .content = data}})),
              HasSubstr("several data.pkl"));
  EXPECT_THAT(refusal_of(make_zip({{.name = "a/data.pkl", .content = data},
                                   {.name = "a/constants.pkl", .content = data}})),
              HasSubstr("TorchScript"));
  EXPECT_THAT(refusal_of(make_zip({{.name = "a/data.pkl", .content = data},
                                   {.name = "a/byteorder", .content = "big"}})),
              HasSubstr("big-endian"));
}

TEST(TorchFile, RefusesTheLegacyFormat) {
  const std::string magic("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M", 18);
  EXPECT_THAT(refusal_of(magic), HasSubstr("torch.save"));
}

TEST(TorchFile, RefusesEveryCutAndSurvivesEveryFlippedBit) {
  const std::string whole = torch_archive(p_dict({{"a", p_tensor(kMatrix)}}));
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_THAT(refusal_of(whole.substr(0, size)), HasSubstr("f.bin")) << size;
  }
  const ZipLimits unchecked{.check_crc = false};
  for_each_flip(whole, whole.size(), [&](const std::string& bytes) {
    takes([&] { touch_all(*open(bytes, unchecked)); });
  });
}

}  // namespace
}  // namespace m2
