#include "core/dtype.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

namespace m2 {
namespace {

TEST(DType, EveryHalfSurvivesARoundTrip) {
  for (uint32_t bits = 0; bits <= 0xFFFF; ++bits) {
    const uint16_t half = static_cast<uint16_t>(bits);
    const float value = f16_to_float(half);
    if (std::isnan(value)) continue;
    EXPECT_EQ(float_to_f16(value), half) << value;
  }
}

TEST(DType, EveryBfloat16SurvivesARoundTrip) {
  for (uint32_t bits = 0; bits <= 0xFFFF; ++bits) {
    const uint16_t half = static_cast<uint16_t>(bits);
    const float value = bf16_to_float(half);
    if (std::isnan(value)) continue;
    EXPECT_EQ(float_to_bf16(value), half) << value;
  }
}

TEST(DType, NarrowingRoundsToNearestEven) {
  EXPECT_EQ(bf16_to_float(float_to_bf16(1.00390625f)), 1.0f);       // 1 + 2^-8: a tie, to even
  EXPECT_EQ(bf16_to_float(float_to_bf16(1.01171875f)), 1.015625f);  // 1 + 3·2^-8: a tie, to even
  EXPECT_EQ(f16_to_float(float_to_f16(2049.0f)), 2048.0f);
  EXPECT_EQ(f16_to_float(float_to_f16(2051.0f)), 2052.0f);
  EXPECT_EQ(f16_to_float(float_to_f16(65519.0f)), 65504.0f);
  EXPECT_TRUE(std::isinf(f16_to_float(float_to_f16(65520.0f))));
  EXPECT_EQ(f16_to_float(float_to_f16(0x1p-25f)), 0.0f);  // half the smallest: a tie, to even
  EXPECT_EQ(f16_to_float(float_to_f16(0x1.8p-25f)), 0x1p-24f);
}

TEST(DType, NotANumberStaysOne) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(std::isnan(bf16_to_float(float_to_bf16(nan))));
  EXPECT_TRUE(std::isnan(f16_to_float(float_to_f16(nan))));
}

// Every value of a dtype of two bytes, widened and narrowed again.
std::vector<uint16_t> there_and_back(DType dtype, const std::vector<uint16_t>& bits) {
  std::vector<float> wide(bits.size());
  widen_to_float(dtype, bits.data(), wide);
  std::vector<char> narrow(1 + 2 * bits.size());  // at an odd address, as files have them
  EXPECT_TRUE(narrow_from_float(dtype, wide, narrow.data() + 1));
  std::vector<uint16_t> back(bits.size());
  std::memcpy(back.data(), narrow.data() + 1, 2 * bits.size());
  return back;
}

TEST(DType, NarrowingUndoesWidening) {
  for (const auto& [dtype, exponent] :
       {std::pair{DType::kF16, 0x7C00u}, std::pair{DType::kBF16, 0x7F80u}}) {
    std::vector<uint16_t> bits;
    for (uint32_t value = 0; value <= 0xFFFF; ++value) {
      const bool is_infinity = (value & 0x7FFFu) == exponent;
      if ((value & exponent) != exponent || is_infinity) {
        bits.push_back(static_cast<uint16_t>(value));
      }
    }
    EXPECT_EQ(there_and_back(dtype, bits), bits) << dtype_name(dtype);
  }
}

TEST(DType, NarrowingSaysWhenAFiniteValueIsLost) {
  uint16_t out = 0;
  const auto narrows = [&](DType dtype, float value) {
    return narrow_from_float(dtype, {&value, 1}, &out);
  };
  EXPECT_TRUE(narrows(DType::kF16, 65519.0f));
  EXPECT_FALSE(narrows(DType::kF16, 65520.0f));
  EXPECT_FALSE(narrows(DType::kF16, -1e30f));
  EXPECT_TRUE(narrows(DType::kBF16, 1e30f));
  EXPECT_FALSE(narrows(DType::kBF16, std::numeric_limits<float>::max()));
  EXPECT_TRUE(narrows(DType::kF16, std::numeric_limits<float>::infinity()));
  float same = 0;
  const float value = 0x1.fffffep-3f;
  EXPECT_TRUE(narrow_from_float(DType::kF32, {&value, 1}, &same));
  EXPECT_EQ(same, value);
}

}  // namespace
}  // namespace m2
