// What the kernels' tests share: each runs on every instruction set of this machine, and a test
// fails when its kernel did not reach the one it was meant to run on.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "core/random.h"
#include "kernels/isa.h"

namespace m2 {

class KernelTest : public testing::TestWithParam<Isa> {
 protected:
  void SetUp() override { force_isa_for_test(GetParam()); }
  void TearDown() override { EXPECT_EQ(dispatched_isa(), GetParam()); }
};

inline std::string isa_test_name(const testing::TestParamInfo<Isa>& info) {
  return isa_name(info.param);
}

inline std::vector<float> random_floats(size_t count, uint64_t seed, double scale = 1.0) {
  Random random(seed, "kernel test");
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(scale * random.normal());
  return values;
}

// ‖a − b‖ / ‖b‖
template <class A, class B>
double relative_error(const A& a, const B& b) {
  double difference = 0, norm = 0;
  for (size_t i = 0; i < b.size(); ++i) {
    const double delta = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    difference += delta * delta;
    norm += static_cast<double>(b[i]) * static_cast<double>(b[i]);
  }
  return std::sqrt(difference / norm);
}

}  // namespace m2

#define M2_INSTANTIATE_KERNEL_TEST(Name) \
  INSTANTIATE_TEST_SUITE_P(Isas, Name, testing::ValuesIn(available_isas()), isa_test_name)
