#include "kernels/counter_mask.h"

#include <set>

#include "kernel_test.h"

namespace m2 {
namespace {

class CounterMaskTest : public KernelTest {};
M2_INSTANTIATE_KERNEL_TEST(CounterMaskTest);

std::vector<float> mask(uint64_t key, uint64_t first_row, size_t rows, size_t width,
                        double probability) {
  std::vector<float> out(rows * width);
  counter_mask({key, first_row, rows, width, probability, out.data()});
  return out;
}

TEST_P(CounterMaskTest, EqualsTheReferenceToTheBit) {
  for (const size_t width : {1u, 7u, 16u, 33u, 768u}) {
    for (const double probability : {0.0, 0.1, 0.5, 0.999}) {
      std::vector<float> wanted(5 * width);
      reference::counter_mask({9, 3, 5, width, probability, wanted.data()});
      EXPECT_EQ(mask(9, 3, 5, width, probability), wanted) << width << ' ' << probability;
    }
  }
}

TEST_P(CounterMaskTest, ARowDependsOnItsNumberAlone) {
  const auto whole = mask(1, 0, 8, 50, 0.3), part = mask(1, 5, 3, 50, 0.3);
  EXPECT_TRUE(std::equal(part.begin(), part.end(), whole.begin() + 5 * 50));
}

TEST_P(CounterMaskTest, DropsAsOftenAsAsked) {
  // 10^6 elements: the share has a deviation of sqrt(p(1 − p)/10^6) <= 5e-4; six of them.
  for (const double probability : {0.1, 0.5, 0.9}) {
    const auto values = mask(17, 0, 1000, 1000, probability);
    double dropped = 0;
    for (const float value : values) {
      if (value == 0)
        ++dropped;
      else
        ASSERT_EQ(value, static_cast<float>(1 / (1 - probability)));
    }
    EXPECT_NEAR(dropped / 1e6, probability, 3e-3);
  }
}

// Neighbouring elements, rows and keys agree as often as chance has it: p² + (1 − p)², here a half.
TEST_P(CounterMaskTest, NeighboursAreIndependent) {
  const size_t width = 1000, rows = 1000;
  const auto values = mask(5, 0, rows, width, 0.5), other_key = mask(6, 0, rows, width, 0.5);
  double next_element = 0, next_row = 0, next_key = 0;
  for (size_t i = 0; i + width < values.size(); ++i) {
    next_element += values[i] == values[i + 1] ? 1 : 0;
    next_row += values[i] == values[i + width] ? 1 : 0;
    next_key += values[i] == other_key[i] ? 1 : 0;
  }
  const auto count = static_cast<double>(values.size() - width);
  EXPECT_NEAR(next_element / count, 0.5, 3e-3);
  EXPECT_NEAR(next_row / count, 0.5, 3e-3);
  EXPECT_NEAR(next_key / count, 0.5, 3e-3);
}

}  // namespace
}  // namespace m2
