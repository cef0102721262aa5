#include "checkpoint/test_files.h"

namespace m2 {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

std::string one_tensor(const std::string& name) {
  return safetensors("{\"" + name + "\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}",
                     "1234");
}

std::string one_torch_tensor(const std::string& name) {
  return torch_archive(p_dict({{name, p_tensor({.shape = {6}, .strides = {1}})}}));
}

std::string index_of(const std::string& map) {
  return "{\"metadata\": {\"total_size\": 8}, \"weight_map\": " + map + "}";
}

std::string refusal_of(const std::string& path) {
  return refusal([&] { open_checkpoint(path); });
}

TEST(OpenTensorFile, TellsByContent) {
  const TestFolder folder;
  EXPECT_EQ(open_tensor_file(folder.write("a.bin", one_tensor("a")))->format(), "safetensors");
  EXPECT_EQ(open_tensor_file(folder.write("b.any", one_torch_tensor("a")))->format(), "PyTorch");
  const auto refused = [&](const char* name, const std::string& content) {
    const std::string path = folder.write(name, content);
    return refusal([&] { open_tensor_file(path); });
  };
  EXPECT_THAT(refused("empty", ""), HasSubstr("is empty"));
  EXPECT_THAT(refused("text", "hello, world"), HasSubstr("neither"));
  EXPECT_THAT(refused("a.safetensors", "hello, world"), HasSubstr("no sound safetensors"));
  EXPECT_THAT(refused("lfs", "version https://git-lfs.github.com/spec/v1\n"), HasSubstr("LFS"));
  EXPECT_THAT(refused("zip", "PK\x03\x04"), HasSubstr("cut short"));
  EXPECT_THAT(refusal([] { open_tensor_file("/no/such.bin"); }), HasSubstr("/no/such.bin"));
}

TEST(OpenTensorFile, IsNotMisledByTheHeadersLength) {
  const TestFolder folder;
  // Lengths whose bytes are those that pickles and zip archives begin with.
  for (const size_t length : {size_t{0x80}, size_t{'P' + 256 * 'K'}}) {
    std::string header = R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})";
    header.resize(length, ' ');
    const std::string path = folder.write("w", safetensors(header, "1234"));
    EXPECT_EQ(open_tensor_file(path)->format(), "safetensors");
  }
}

TEST(OpenCheckpoint, LooksInOrder) {
  const TestFolder folder;
  EXPECT_THAT(refusal_of(folder.path()), HasSubstr("holds no weights"));
  const auto expect = [&](const char* name) {
    const Checkpoint found = open_checkpoint(folder.path());
    EXPECT_THAT(found.files, ElementsAre(folder.path() + name));
    EXPECT_EQ(found.folder + "/", folder.path());
  };
  folder.write("epoch.pt", one_torch_tensor("a"));
  expect("epoch.pt");
  folder.write("model.bin", one_torch_tensor("a"));
  expect("model.bin");
  folder.write("pytorch_model.bin", one_torch_tensor("a"));
  expect("pytorch_model.bin");
  folder.write("8k_checkpoint_model.safetensors", one_tensor("a"));
  expect("8k_checkpoint_model.safetensors");
  folder.write("other.safetensors", one_tensor("a"));
  expect("pytorch_model.bin");
  folder.write("model.safetensors", one_tensor("a"));
  expect("model.safetensors");
}

TEST(OpenCheckpoint, TakesAFileOfTheWorkingFolder) {
  const TestFolder folder;
  const fs::path before = fs::current_path();
  folder.write("w.safetensors", one_tensor("a"));
  fs::current_path(folder.path());
  const Checkpoint found = open_checkpoint("w.safetensors");
  fs::current_path(before);
  EXPECT_EQ(found.folder, ".");
  EXPECT_THAT(found.tensors->names(), ElementsAre("a"));
}

TEST(OpenCheckpoint, JoinsShards) {
  const TestFolder folder;
  folder.write("s1.safetensors", one_tensor("a"));
  folder.write("s2.safetensors", one_tensor("b"));
  const std::string index = folder.write(
      "model.safetensors.index.json", index_of(R"({"a":"s1.safetensors","b":"s2.safetensors"})"));
  for (const std::string& path : {folder.path(), index}) {
    const Checkpoint found = open_checkpoint(path);
    EXPECT_EQ(found.tensors->format(), "safetensors, 2 shards");
    EXPECT_THAT(found.tensors->names(), ElementsAre("a", "b"));
    EXPECT_EQ(bytes_of(found.tensors->find("b")), "1234");
    EXPECT_EQ(found.tensors->find("c"), nullptr);
    EXPECT_THAT(found.files,
                UnorderedElementsAre(folder.path("s1.safetensors"), folder.path("s2.safetensors")));
    EXPECT_EQ(fs::path(found.folder) / "", fs::path(folder.path()));
  }
}

TEST(OpenCheckpoint, JoinsTorchShards) {
  const TestFolder folder;
  folder.write("p1.bin", one_torch_tensor("a"));
  folder.write("p2.bin", torch_archive(p_dict({{"b", p_tensor({.shape = {6}, .strides = {1}})},
                                               {"odd", p_call(p_global("some", "thing"), {})}})));
  folder.write("pytorch_model.bin.index.json", index_of(R"({"a":"p1.bin","b":"p2.bin"})"));
  const Checkpoint found = open_checkpoint(folder.path());
  EXPECT_EQ(found.tensors->format(), "PyTorch, 2 shards");
  EXPECT_EQ(bytes_of(found.tensors->find("b")), floats(6));
  EXPECT_THAT(found.tensors->ignored(), ElementsAre("some.thing"));
}

TEST(OpenCheckpoint, KeepsShardsInTheFolder) {
  const TestFolder folder;
  folder.write("secret", one_tensor("a"));
  fs::create_directory(folder.path("inner"));
  for (const char* shard :
       {"../secret", "/etc/passwd", "..", ".", "", "inner/x", "a\\\\b", "a\\u0000"}) {
    folder.write("inner/model.safetensors.index.json",
                 index_of("{\"a\":\"" + std::string(shard) + "\"}"));
    EXPECT_THAT(refusal_of(folder.path("inner")),
                HasSubstr("only names of files in the same folder"))
        << shard;
  }
}

TEST(OpenCheckpoint, HoldsTheIndexToTheShards) {
  const TestFolder folder;
  folder.write("s1.safetensors", one_tensor("a"));
  folder.write("s2.safetensors", one_tensor("b"));
  const auto refused = [&](const std::string& index) {
    folder.write("model.safetensors.index.json", index);
    return refusal_of(folder.path());
  };
  EXPECT_THAT(refused(index_of(R"({"a":"s1.safetensors","b":"s1.safetensors"})")),
              HasSubstr("s1.safetensors, which has no tensor \"b\""));
  EXPECT_THAT(refused(index_of(R"({"b":"s1.safetensors"})")), HasSubstr("also holds \"a\""));
  EXPECT_THAT(refused(index_of(R"({"a":"s2.safetensors","b":"s1.safetensors"})")),
              HasSubstr("does not match"));
  EXPECT_THAT(refused(index_of(R"({"a":"s3.safetensors"})")), HasSubstr("s3.safetensors"));
  EXPECT_THAT(refused(index_of(R"({"a":7})")), HasSubstr("only names"));
  EXPECT_THAT(refused(index_of("{}")), HasSubstr("weight_map"));
  EXPECT_THAT(refused("{}"), HasSubstr("weight_map"));
  EXPECT_THAT(refused("{"), HasSubstr("no valid JSON"));
}

// The reference's checkpoints

fs::path golden(const char* name) {
  const fs::path root(M2_SOURCE_DIR);
  const fs::path committed = root / "tests/golden" / name;
  return fs::exists(committed) ? committed : root.parent_path() / "shared/golden" / name;
}

TEST(GoldenCheckpoint, BothFormatsHoldTheSameTensors) {
  for (const char* name : {"m2_bert", "mosaic_bert"}) {
    const fs::path folder = golden(name);
    if (!fs::exists(folder)) GTEST_SKIP() << folder << " is not there";
    const Checkpoint safe = open_checkpoint(folder);
    const Checkpoint torch = open_checkpoint(folder / "pytorch_model.bin");
    EXPECT_EQ(safe.tensors->format(), "safetensors");
    EXPECT_EQ(torch.tensors->format(), "PyTorch");
    EXPECT_THAT(torch.tensors->names(), testing::UnorderedElementsAreArray(safe.tensors->names()));
    EXPECT_GT(safe.tensors->names().size(), 20u);
    for (const std::string& tensor : safe.tensors->names()) {
      const TensorView *a = safe.tensors->find(tensor), *b = torch.tensors->find(tensor);
      ASSERT_NE(b, nullptr) << tensor;
      EXPECT_EQ(a->dtype, b->dtype) << tensor;
      EXPECT_EQ(a->shape, b->shape) << tensor;
      EXPECT_EQ(bytes_of(a), bytes_of(b)) << tensor;
    }
  }
}

TEST(GoldenCheckpoint, ReadsComposerFiles) {
  const fs::path folder = golden("m2_bert_mlm_training");
  if (!fs::exists(folder)) GTEST_SKIP() << folder << " is not there";
  const Checkpoint found = open_checkpoint(folder / "composer_checkpoint.pt");
  const auto trained = open_tensor_file(folder / "params_after.safetensors");
  EXPECT_EQ(trained->names().size(), 100u);
  for (const std::string& name : trained->names()) {
    const TensorView* before = found.tensors->find("model." + name);
    ASSERT_NE(before, nullptr) << name;
    EXPECT_EQ(before->shape, trained->find(name)->shape) << name;
    EXPECT_EQ(before->dtype, DType::kF32) << name;
  }
}

}  // namespace
}  // namespace m2
