#include "config/lengthen.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <numeric>
#include <string>
#include <vector>

#include "config/presets.h"
#include "core/error.h"

namespace m2 {
namespace {

Parameter parameter(InitialiserKind kind, std::vector<int64_t> shape, int axis) {
  Parameter made;
  made.name = "p";
  made.shape = std::move(shape);
  made.initialiser.kind = kind;
  made.length_axis = axis;
  return made;
}

std::vector<float> lengthened_values(const Parameter& longer, int64_t stored_length,
                                     const std::vector<float>& stored,
                                     FilterTime time = FilterTime::kContinued) {
  std::vector<float> out(static_cast<size_t>(longer.elements()), -1.0f);
  lengthen(longer, stored_length, stored, time, out);
  return out;
}

Parameter time_of(int64_t length) {
  return parameter(InitialiserKind::kFilterTime, {1, length, 1}, 1);
}

// t as a new model has it, or as torch.linspace(0, 1, length) does.
std::vector<float> new_time(int64_t length) {
  std::vector<float> out(static_cast<size_t>(length));
  initialise(time_of(length), {}, 0, out);
  return out;
}

std::vector<float> continued(const std::vector<float>& stored, int64_t length) {
  return lengthened_values(time_of(length), static_cast<int64_t>(stored.size()), stored);
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

TEST(Lengthen, RowsRepeatAndTheLastTimeIsCut) {
  const std::vector<float> stored = {1, 2, 3, 4, 5, -0.0f};  // three rows of two
  EXPECT_TRUE(
      same_bits(lengthened_values(parameter(InitialiserKind::kNormal, {8, 2}, 0), 3, stored),
                {1, 2, 3, 4, 5, -0.0f, 1, 2, 3, 4, 5, -0.0f, 1, 2, 3, 4}));
  EXPECT_TRUE(same_bits(
      lengthened_values(parameter(InitialiserKind::kFilterBands, {2, 4, 1}, 1), 3, stored),
      {1, 2, 3, 1, 4, 5, -0.0f, 4}));
}

TEST(Lengthen, TimeGoesOnWithItsStep) {
  for (const int64_t length : {2, 3, 128, 129, 2048, 32768}) {
    const std::vector<float> stored = new_time(length);
    const std::vector<float> out = continued(stored, 3 * length + 1);
    EXPECT_TRUE(same_bits({out.begin(), out.begin() + length}, stored)) << length;
    for (size_t i = 0; i < out.size(); ++i) {
      // Each the float nearest to i steps: one rounding, half a unit in the last place.
      const double exact = static_cast<double>(i) / static_cast<double>(length - 1);
      ASSERT_EQ(out[i], static_cast<float>(exact)) << length << " at " << i;
    }
  }
}

TEST(Lengthen, TwiceIsOnce) {
  const std::vector<float> stored = new_time(129);
  EXPECT_TRUE(same_bits(continued(continued(stored, 300), 5000), continued(stored, 5000)));
}

TEST(Lengthen, TimeWithoutAPlainOneGoesOnByItsEnds) {
  const std::vector<float> out = continued({0.5f, 0.75f, 1.0f}, 5);
  EXPECT_EQ(out, (std::vector<float>{0.5f, 0.75f, 1.0f, 1.25f, 1.5f}));
  // Rounded so far that several times are 1.
  EXPECT_EQ(continued({0, 0.5f, 1, 1, 2}, 7), (std::vector<float>{0, 0.5f, 1, 1, 2, 2.5f, 3}));
  EXPECT_EQ(continued({0}, 3), (std::vector<float>{0, 0, 0}));
}

TEST(Lengthen, RescaledTimeIsThatOfANewModel) {
  const std::vector<float> out =
      lengthened_values(time_of(300), 128, new_time(128), FilterTime::kRescaled);
  EXPECT_TRUE(same_bits(out, new_time(300)));
  EXPECT_NE(out[1], new_time(128)[1]);
}

TEST(Lengthened, LengthsGrowAndNothingShrinks) {
  const ModelConfig config = preset("m2-bert-80M", 128);
  const ModelConfig longer = lengthened(config, 300);
  EXPECT_EQ(longer.long_conv_l_max, 300);
  EXPECT_EQ(longer.max_position_embeddings, 300);
  ModelConfig uneven = config;  // positions beyond the filters
  uneven.use_positional_encodings = true;
  uneven.max_position_embeddings = 512;
  EXPECT_EQ(lengthened(uneven, 300).max_position_embeddings, 512);
  EXPECT_EQ(lengthened(uneven, 300).max_length(), 300);
  ModelConfig attention = config;
  attention.family = Family::kBert;
  EXPECT_EQ(lengthened(attention, 300).max_position_embeddings, 300);
  EXPECT_EQ(lengthened(attention, 300).long_conv_l_max, config.long_conv_l_max);
}

TEST(Lengthened, RefusesWhatIsNoExtension) {
  const ModelConfig config = preset("m2-bert-80M", 128);
  for (const int64_t length : {int64_t{-1}, int64_t{127}, int64_t{128}, int64_t{1} << 40}) {
    try {
      lengthened(config, length);
      ADD_FAILURE() << length;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kUsage);
      EXPECT_NE(std::string(error.what()).find(std::to_string(length)), std::string::npos);
    }
  }
}

TEST(Lengthened, EveryParameterOfTheLengthIsMarked) {
  const ModelConfig config = preset("m2-bert-80M", 128);
  ModelConfig with_positions = config;
  with_positions.use_positional_encodings = true;
  for (const ModelConfig& shorter : {config, with_positions}) {
    const auto before = parameters(shorter), after = parameters(lengthened(shorter, 200));
    ASSERT_EQ(before.size(), after.size());
    for (size_t i = 0; i < before.size(); ++i) {
      EXPECT_EQ(before[i].shape != after[i].shape, before[i].length_axis >= 0) << before[i].name;
    }
  }
}

}  // namespace
}  // namespace m2
