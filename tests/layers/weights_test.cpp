#include "layers/weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>

#include "core/error.h"
#include "layers/small_model.h"

namespace m2 {
namespace {

const char kWeight[] = "bert.encoder.layer.1.mlp.wo.weight";

std::string error_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInput);
    return error.what();
  }
  return "no error";
}

TEST(Weights, GivesEveryParameterOfTheList) {
  const ModelConfig config = small_config();
  const Weights weights(config, std::make_shared<MemoryTensors>(config));
  for (const Parameter& parameter : parameters(config)) {
    ASSERT_TRUE(weights.has(parameter.name)) << parameter.name;
    EXPECT_EQ(static_cast<int64_t>(weights.get(parameter.name).values().size()),
              parameter.elements());
  }
}

TEST(Weights, NamesAWeightOfTheWrongShape) {
  const ModelConfig config = small_config();
  const auto file = std::make_shared<MemoryTensors>(config);
  file->tensor(kWeight).shape.back() -= 1;
  EXPECT_THAT(error_of([&] { Weights(config, file); }),
              testing::AllOf(testing::HasSubstr(kWeight), testing::HasSubstr("[4, 10, 19]"),
                             testing::HasSubstr("[4, 10, 20]")));
}

TEST(Weights, NamesAWeightThatIsNoNumber) {
  const ModelConfig config = small_config();
  for (const float bad : {std::nanf(""), HUGE_VALF, -HUGE_VALF}) {
    const auto file = std::make_shared<MemoryTensors>(config);
    file->values(kWeight)[123] = bad;
    const Weights weights(config, file);
    EXPECT_THAT(error_of([&] { weights.get(kWeight); }), testing::HasSubstr(kWeight));
  }
}

TEST(Weights, RefusesIntegers) {
  const ModelConfig config = small_config();
  const auto file = std::make_shared<MemoryTensors>(config);
  file->tensor(kWeight).dtype = DType::kI32;
  EXPECT_THAT(error_of([&] { Weights(config, file); }), testing::HasSubstr("int32"));
}

// A small model with one weight, [4][10][20], stored as int8.
class Int8Weights : public testing::Test {
 protected:
  static constexpr size_t kOutputs = 40, kWidth = 20;

  Int8Weights() {
    for (size_t i = 0; i < integers_.size(); ++i) {
      integers_[i] = static_cast<int8_t>(static_cast<int>(i * 37 % 256) - 128);
    }
    for (size_t i = 0; i < kOutputs; ++i) scales_[i] = 0.001f * static_cast<float>(i);
    file_->tensor(kWeight) = {DType::kI8, {4, 10, 20}, integers_.data()};
  }

  void add_scales() { file_->add(scale_name(kWeight), {DType::kF32, {40}, scales_.data()}); }
  TensorView& scales() { return file_->tensor(scale_name(kWeight)); }
  std::string refusal() const {
    return error_of([&] { Weights(config_, file_).get(kWeight); });
  }

  ModelConfig config_ = small_config();
  std::shared_ptr<MemoryTensors> file_ = std::make_shared<MemoryTensors>(config_);
  std::array<int8_t, kOutputs * kWidth> integers_{};
  std::array<float, kOutputs> scales_{};
};

TEST_F(Int8Weights, AreIntegersTimesTheirOutputsScale) {
  add_scales();
  const Weights weights(config_, file_);
  const FloatTensor found = weights.get(kWeight);
  ASSERT_EQ(found.values().size(), integers_.size());
  for (size_t i = 0; i < integers_.size(); ++i) {
    const double exact = static_cast<double>(scales_[i / kWidth]) * integers_[i];
    ASSERT_EQ(found.values()[i], static_cast<float>(exact)) << i;
  }
}

TEST_F(Int8Weights, ScalesMayLieAnywhere) {
  std::array<char, sizeof(scales_) + 1> bytes{};
  std::memcpy(bytes.data() + 1, scales_.data(), sizeof(scales_));
  add_scales();
  scales().data = bytes.data() + 1;
  EXPECT_EQ(Weights(config_, file_).get(kWeight).values()[kWidth],
            scales_[1] * static_cast<float>(integers_[kWidth]));
}

TEST_F(Int8Weights, MakeInt8TheProductsUnlessAnotherIsAskedFor) {
  add_scales();
  EXPECT_EQ(Weights(config_, file_).products(), DType::kI8);
  EXPECT_EQ(Weights(config_, file_, DType::kF32).products(), DType::kF32);
  const auto plain = std::make_shared<MemoryTensors>(config_);
  EXPECT_EQ(Weights(config_, plain).products(), DType::kF32);
}

TEST_F(Int8Weights, NeedScales) {
  EXPECT_THAT(refusal(),
              testing::AllOf(testing::HasSubstr(kWeight), testing::HasSubstr("no scales")));
}

TEST_F(Int8Weights, AreWhatScalesNeed) {
  add_scales();
  file_->tensor(kWeight) = {DType::kF32, {4, 10, 20}, file_->values(kWeight)};
  EXPECT_THAT(refusal(), testing::AllOf(testing::HasSubstr(kWeight), testing::HasSubstr("fp32"),
                                        testing::HasSubstr("of int8 alone")));
}

TEST_F(Int8Weights, HaveAScaleAnOutput) {
  add_scales();
  for (const std::vector<int64_t>& shape : {std::vector<int64_t>{39}, {40, 1}, {4, 10}, {}}) {
    scales().shape = shape;
    EXPECT_THAT(refusal(), testing::AllOf(testing::HasSubstr(scale_name(kWeight)),
                                          testing::HasSubstr("[40]")));
  }
  scales() = {DType::kBF16, {40}, scales_.data()};
  EXPECT_THAT(refusal(), testing::HasSubstr("bf16"));
}

TEST_F(Int8Weights, HaveScalesThatAreNumbersAndNotNegative) {
  add_scales();
  EXPECT_EQ(refusal(), "no error");
  for (const float bad : {std::nanf(""), -1e-9f, HUGE_VALF}) {
    scales_[7] = bad;
    EXPECT_THAT(refusal(), testing::HasSubstr(kWeight)) << bad;
  }
}

TEST_F(Int8Weights, AreOfLargeProductsAlone) {
  add_scales();
  const char sensitive[] = "bert.encoder.layer.0.attention.out_linear.weight";
  for (const std::string name : {sensitive, "bert.embeddings.word_embeddings.weight"}) {
    const TensorView before = file_->tensor(name);
    file_->tensor(name).dtype = DType::kI8;
    EXPECT_THAT(refusal(),
                testing::AllOf(testing::HasSubstr(name), testing::HasSubstr("int8; fp32")));
    file_->tensor(name) = before;
  }
  file_->add(scale_name(sensitive), {DType::kF32, {40}, scales_.data()});
  EXPECT_THAT(refusal(), testing::HasSubstr(scale_name(sensitive)));
}

}  // namespace
}  // namespace m2
