#include "kernels/number_types.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/dtype.h"
#include "kernel_test.h"

namespace m2 {
namespace {

class NumberTypesTest : public KernelTest {};
M2_INSTANTIATE_KERNEL_TEST(NumberTypesTest);

constexpr size_t kWidths[] = {1, 7, 16, 17, 192, 250};

TEST_P(NumberTypesTest, RoundsToBf16AsTheReference) {
  for (const size_t width : kWidths) {
    auto x = random_floats(3 * (width + 5), 1);
    const float extremes[] = {
        0.0f,      -0.0f,         3.4e38f,     -3.4e38f,   1e-42f,
        HUGE_VALF, std::nanf(""), 1.00390625f, 1.01171875f};  // the last two are ties
    for (size_t i = 0; i < std::min(width, std::size(extremes)); ++i) x[i] = extremes[i];
    std::vector<uint16_t> found(3 * (width + 3), 7), expected(found);
    round_to_bf16({3, width, width + 5, width + 3, x.data(), found.data()});
    reference::round_to_bf16({3, width, width + 5, width + 3, x.data(), expected.data()});
    for (size_t i = 0; i < found.size(); ++i) {
      if (std::isnan(bf16_to_float(expected[i]))) {
        EXPECT_TRUE(std::isnan(bf16_to_float(found[i])));
      } else {
        EXPECT_EQ(found[i], expected[i]) << i;
      }
    }
  }
}

TEST_P(NumberTypesTest, QuantisesAsTheReference) {
  for (const size_t width : kWidths) {
    auto x = random_floats(4 * (width + 5), 2);
    std::fill_n(x.data() + (width + 5), width, 0.0f);                    // a row of zeros
    for (size_t i = 0; i < width; ++i) x[2 * (width + 5) + i] = 1e-42f;  // its inverse overflows
    std::vector<uint8_t> found(4 * (width + 3), 7), expected(found);
    std::vector<float> scales(4), wanted(4);
    quantise_rows({4, width, width + 5, width + 3, x.data(), found.data(), scales.data()});
    reference::quantise_rows(
        {4, width, width + 5, width + 3, x.data(), expected.data(), wanted.data()});
    EXPECT_EQ(scales, wanted);
    for (size_t i = 0; i < found.size(); ++i) {
      if (i / (width + 3) != 2) {
        EXPECT_EQ(found[i], expected[i]) << width << " " << i;
      }
    }
    const uint8_t* tiny = found.data() + 2 * (width + 3);
    EXPECT_TRUE(std::all_of(tiny, tiny + width, [](uint8_t u) { return u == kUnsignedZero; }));
    EXPECT_GE(*std::min_element(found.begin(), found.begin() + static_cast<int>(width)), 1);
  }
}

TEST_P(NumberTypesTest, DequantisesAsTheReference) {
  for (const size_t width : kWidths) {
    const size_t stride = width + 5;
    std::vector<float> data(3 * stride, -1.0f);
    std::vector<int32_t> offsets(width);
    const auto row_scales = random_floats(3, 3), bias = random_floats(width, 4);
    const auto column_scales = random_floats(width, 5);
    for (size_t i = 0; i < width; ++i) {
      offsets[i] = static_cast<int32_t>(i * 1001) - 5000;
      for (size_t row = 0; row < 3; ++row) {
        const int32_t product = static_cast<int32_t>(row * 70000 + i * 333) - 90000;
        std::memcpy(&data[row * stride + i], &product, sizeof product);
      }
    }
    for (const float* b : {bias.data(), static_cast<const float*>(nullptr)}) {
      std::vector<float> found = data;
      std::vector<double> expected(3 * width);
      DequantiseTile tile = {
          3, width,       stride, row_scales.data(), column_scales.data(), offsets.data(),
          b, found.data()};
      dequantise(tile);
      tile.data = data.data();
      reference::dequantise(tile, expected.data());
      for (size_t row = 0; row < 3; ++row) {
        for (size_t i = 0; i < width; ++i) {
          // Two products and a sum, each rounded once.
          const double value = expected[row * width + i];
          EXPECT_NEAR(found[row * stride + i], value, 3e-7 * (std::fabs(value) + 4));
        }
        EXPECT_EQ(found[row * stride + width], -1.0f) << "written beyond";
      }
    }
  }
}

TEST(QuantiseWeights, IsItsOwnFixedPoint) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const auto weights = random_floats(192, seed, std::exp2(static_cast<double>(seed) - 25));
    std::vector<int8_t> first(192), second(192);
    const float scale = quantise_weights(weights.data(), 192, first.data());
    std::vector<float> back(192);
    for (size_t i = 0; i < 192; ++i) {
      back[i] = scale * static_cast<float>(first[i]);
      EXPECT_LE(std::fabs(back[i] - weights[i]), 0.5001f * scale);
    }
    EXPECT_EQ(quantise_weights(back.data(), 192, second.data()), scale);
    EXPECT_EQ(first, second);
    EXPECT_EQ(std::abs(int{*std::max_element(
                  first.begin(), first.end(),
                  [](int8_t a, int8_t b) { return std::abs(int{a}) < std::abs(int{b}); })}),
              kLargestInteger);
  }
}

TEST(QuantiseWeights, ARowOfZerosStaysOne) {
  const std::vector<float> weights(16, 0.0f);
  std::vector<int8_t> out(16, 1);
  EXPECT_EQ(quantise_weights(weights.data(), 16, out.data()), 0.0f);
  EXPECT_EQ(out, std::vector<int8_t>(16, 0));
}

}  // namespace
}  // namespace m2
