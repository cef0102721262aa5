#include "layers/weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

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

}  // namespace
}  // namespace m2
