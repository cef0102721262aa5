// The loss against libtorch's own, parameters from files, and folders.
#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <limits>

#include "checkpoint/safetensors.h"
#include "config/load_config.h"
#include "core/error.h"
#include "train/models/linear_cross_entropy.h"
#include "train/models/model_folder.h"
#include "train/models/training_fixture.h"

namespace m2::train {
namespace {

namespace fs = std::filesystem;

const ProductType kDouble(at::kDouble, false), kFloat(at::kFloat, false);
const ProductType kBf16(at::kBFloat16, false), kRoundedToBf16(at::kFloat, true);

struct LossInput {
  at::Tensor x, weight, bias, labels;
};

// More rows than one piece has.
LossInput loss_input(int64_t rows) {
  constexpr int64_t kWidth = 7, kWords = 29;
  const auto wave = [](int64_t count, double scale) {
    return at::sin(at::arange(count, at::kDouble) * scale) * 2;
  };
  LossInput input;
  input.x = wave(rows * kWidth, 1.7).view({rows, kWidth}).requires_grad_(true);
  input.weight = wave(kWords * kWidth, 0.9).view({kWords, kWidth}).requires_grad_(true);
  input.bias = wave(kWords, 2.3).requires_grad_(true);
  input.labels = at::arange(rows).remainder(kWords);
  return input;
}

TEST(LinearCrossEntropy, AgreesWithLibtorch) {
  for (const int64_t rows : {1, 1024, 2049 + 37}) {
    const LossInput ours = loss_input(rows), plain = loss_input(rows);
    const CrossEntropy loss = linear_cross_entropy(ours.x, ours.weight, ours.bias, ours.labels,
                                                   kDouble, /*count_correct=*/true);
    const at::Tensor logits = at::linear(plain.x, plain.weight, plain.bias);
    const at::Tensor expected =
        at::cross_entropy_loss(logits, plain.labels, {}, at::Reduction::Sum);
    EXPECT_LT(relative_error(loss.sum, expected), 1e-13) << rows;
    EXPECT_EQ(loss.correct, logits.argmax(1).eq(plain.labels).sum().item<int64_t>());
    (loss.sum / 3).backward();
    (expected / 3).backward();
    EXPECT_LT(relative_error(ours.x.grad(), plain.x.grad()), 1e-13) << rows;
    EXPECT_LT(relative_error(ours.weight.grad(), plain.weight.grad()), 1e-13) << rows;
    EXPECT_LT(relative_error(ours.bias.grad(), plain.bias.grad()), 1e-13) << rows;
  }
}

TEST(LinearCrossEntropy, StaysFiniteWhereAProbabilityVanishes) {
  LossInput input = loss_input(5);
  input.weight = (input.weight * 1e3).detach().requires_grad_(true);
  const at::Tensor sum =
      linear_cross_entropy(input.x.to(at::kFloat), input.weight.to(at::kFloat),
                           input.bias.to(at::kFloat), input.labels, kFloat, false)
          .sum;
  EXPECT_GT(sum.item<double>(), 100);
  EXPECT_TRUE(std::isfinite(sum.item<double>()));
}

// Products whose operands are rounded and whose sums are not: both give the same number but where
// the order of a sum moves it over a rounding, by 2⁻⁸ of it then.
constexpr double kBf16Step = 1.0 / 256;

TEST(LinearCrossEntropy, RoundsToBf16AsBf16) {
  const auto computed = [](const ProductType& type) {
    LossInput input = loss_input(2049 + 37);
    const CrossEntropy loss =
        linear_cross_entropy(input.x.to(at::kFloat), input.weight.to(at::kFloat),
                             input.bias.to(at::kFloat), input.labels, type, /*count_correct=*/true);
    loss.sum.backward();
    return std::array{loss.sum.detach(), input.x.grad(), input.weight.grad(), input.bias.grad()};
  };
  const auto rounded = computed(kRoundedToBf16), bf16 = computed(kBf16), fp32 = computed(kFloat);
  for (size_t i = 0; i < bf16.size(); ++i) {
    EXPECT_LT(relative_error(rounded[i], bf16[i]), kBf16Step) << i;
    EXPECT_GT(relative_error(rounded[i], fp32[i]), relative_error(rounded[i], bf16[i])) << i;
  }
}

TEST(ProductType, RoundsValuesAndGradientsToBf16AsBf16) {
  const auto computed = [](const ProductType& type) {
    const LossInput input = loss_input(64);
    const at::Tensor y = type.result(at::linear(type.operand(input.x), type.operand(input.weight),
                                                type.operand(input.bias)))
                             .to(at::kFloat);
    (y * at::cos(y.detach())).sum().backward();
    return std::array{y.detach(), input.x.grad(), input.weight.grad(), input.bias.grad()};
  };
  const auto rounded = computed(kRoundedToBf16), bf16 = computed(kBf16), fp32 = computed(kFloat);
  for (size_t i = 0; i < bf16.size(); ++i) {
    EXPECT_TRUE(rounded[i].equal(rounded[i].to(at::kBFloat16).to(rounded[i].scalar_type()))) << i;
    EXPECT_LT((rounded[i] - bf16[i]).abs().div(bf16[i].abs() + 1e-3).max().item<double>(),
              2 * kBf16Step)
        << i;
    EXPECT_GT(relative_error(rounded[i], fp32[i]), 2 * relative_error(rounded[i], bf16[i])) << i;
  }
}

TEST(ProductType, IsTheParametersOwnUnlessBf16IsAskedFor) {
  const at::Tensor weight = at::full({1}, 1 + 1.0 / 512, at::kDouble);
  EXPECT_TRUE(product_type(false, weight).operand(weight).equal(weight));
  EXPECT_EQ(product_type(true, weight).operand(weight).item<double>(), 1);
}

class ParameterFiles : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("m2_train_models_" + std::to_string(getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path folder_;
};

TEST_F(ParameterFiles, AFolderComesBackAsTheSameModel) {
  for (const Family family : {Family::kM2Bert, Family::kMosaicBert, Family::kBert}) {
    const ModelConfig config = small_config(family);
    const auto model = spread_model(config, at::kFloat);
    const fs::path words = folder_ / "vocab.txt";
    std::ofstream(words) << "[PAD]\n[UNK]\n";
    const fs::path saved = folder_ / family_name(family);
    save_model_folder(*model, saved, {words});
    EXPECT_EQ(fs::file_size(saved / "vocab.txt"), 12U);
    const ModelConfig read = load_model_config(saved / "config.json");
    EXPECT_EQ(read.padding, config.padding);
    ModelOptions options;
    options.scope = {true, true, true};
    Model again(read, options);
    EXPECT_TRUE(again.parameters().load(*open_checkpoint(saved).tensors, saved).empty());
    for (const ParameterTensor& parameter : model->parameters().all()) {
      const std::string& name = parameter.description.name;
      EXPECT_TRUE(again.parameters().get(name).equal(parameter.values)) << name;
    }
  }
}

TEST_F(ParameterFiles, WithoutAPoolerTheFolderStatesTheMean) {
  ModelOptions options;
  options.scope = {.pooler = false, .mlm_head = true};
  const Model model(small_config(Family::kM2Bert), options);
  save_model_folder(model, folder_ / "model", {});
  const ModelConfig config = load_model_config(folder_ / "model/config.json");
  EXPECT_TRUE(config.pooling_stated && config.padding_stated);
  EXPECT_EQ(config.pooling, Pooling::kMean);
}

// What load() says of the model's own tensors after `damage`.
std::string refusal(const fs::path& folder,
                    const std::function<void(std::vector<NamedTensor>&)>& damage) {
  const auto model = spread_model(small_config(Family::kM2Bert), at::kFloat);
  std::vector<NamedTensor> tensors;
  for (const ParameterTensor& parameter : model->parameters().all()) {
    tensors.push_back({parameter.description.name, view_of(parameter.values)});
  }
  damage(tensors);
  const fs::path path = folder / "damaged.safetensors";
  write_safetensors(path, tensors);
  try {
    model->parameters().load(*open_tensor_file(path), "FILE");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInput);
    return error.what();
  }
  return "";
}

TEST_F(ParameterFiles, AreRefusedByNameAndReason) {
  static constexpr std::array<float, 36> kNotANumber = {std::numeric_limits<float>::quiet_NaN()};
  const auto norm = [](std::vector<NamedTensor>& tensors) -> NamedTensor& {
    for (NamedTensor& tensor : tensors) {
      if (tensor.name == "bert.embeddings.LayerNorm.bias") return tensor;
    }
    throw std::logic_error("no such tensor");
  };
  EXPECT_EQ(refusal(folder_, [](auto&) {}), "");
  for (const std::string& message :
       {refusal(folder_, [&](auto& tensors) { norm(tensors).tensor.data = kNotANumber.data(); }),
        refusal(folder_, [&](auto& tensors) { norm(tensors).tensor.shape = {6, 6}; }),
        refusal(folder_, [&](auto& tensors) { norm(tensors).tensor.dtype = DType::kI32; }),
        refusal(folder_, [&](auto& tensors) { norm(tensors).name += "x"; })}) {
    EXPECT_NE(message.find("FILE"), std::string::npos) << message;
    EXPECT_NE(message.find("LayerNorm.bias"), std::string::npos) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos);
  }
}

}  // namespace
}  // namespace m2::train
