// The vectors' functions against those of the standard library in double, over dense and awkward
// arguments, on each instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/vector_math_test.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/cpu/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace m2 {
namespace HWY_NAMESPACE {

// Applies a function to `count` floats, a multiple of 16.
template <class Function>
HWY_INLINE void Apply(const float* in, size_t count, float* out, const Function& function) {
  const hn::CappedTag<float, 16> d;
  for (size_t i = 0; i < count; i += hn::Lanes(d)) {
    hn::StoreU(function(d, hn::LoadU(d, in + i)), d, out + i);
  }
}

#define M2_APPLY(Function)                                                         \
  void Apply##Function(const float* in, size_t count, float* out) {                \
    Apply(in, count, out, [](auto d, auto x) HWY_ATTR { return Function(d, x); }); \
  }

M2_APPLY(Exponential)
M2_APPLY(Exp2)
M2_APPLY(Sine)
M2_APPLY(HyperbolicTangent)
M2_APPLY(NormalDistribution)
#undef M2_APPLY

}  // namespace HWY_NAMESPACE
}  // namespace m2
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "kernel_test.h"

namespace m2 {
namespace {

HWY_EXPORT(ApplyExponential);
HWY_EXPORT(ApplyExp2);
HWY_EXPORT(ApplySine);
HWY_EXPORT(ApplyHyperbolicTangent);
HWY_EXPORT(ApplyNormalDistribution);

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kDenormal = std::numeric_limits<float>::denorm_min();
constexpr float kSmallest = std::numeric_limits<float>::min();

// `count` arguments from `lowest` to `highest`, those nearest to zero of both signs, and the ends.
std::vector<float> arguments(double lowest, double highest, size_t count = 200'000) {
  std::vector<float> x;
  for (size_t i = 0; i < count; ++i) {
    const double share = static_cast<double>(i) / static_cast<double>(count - 1);
    x.push_back(static_cast<float>(lowest + (highest - lowest) * share));
  }
  for (const float small : {0.0f, kDenormal, kSmallest, 1e-30f, 1e-10f, 1e-5f, 0.5f, 1.0f}) {
    for (const float value : {small, -small}) {
      if (value >= static_cast<float>(lowest) && value <= static_cast<float>(highest)) {
        x.push_back(value);
      }
    }
  }
  while (x.size() % 16 != 0) x.push_back(static_cast<float>(highest));
  return x;
}

class VectorMathTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    current_isa();
  }

  // The largest error of `function` against `exact`: absolute, or as a share of the exact value.
  template <class Function, class Exact>
  static double largest_error(const std::vector<float>& x, const Function& function,
                              const Exact& exact, bool relative) {
    std::vector<float> y(x.size());
    function(x.data(), x.size(), y.data());
    double largest = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      const double expected = exact(static_cast<double>(x[i]));
      const double error = std::abs(static_cast<double>(y[i]) - expected);
      largest = std::max(largest, relative && expected != 0 ? error / std::abs(expected) : error);
      if (std::isnan(y[i])) return kInfinity;
    }
    return largest;
  }

  template <class Function>
  static float value(const Function& function, float x) {
    std::vector<float> in(16, x), out(16);
    function(in.data(), in.size(), out.data());
    return out[0];
  }
};
M2_INSTANTIATE_KERNEL_TEST(VectorMathTest);

void vector_exp(const float* x, size_t count, float* y) {
  HWY_DYNAMIC_DISPATCH(ApplyExponential)(x, count, y);
}
void vector_exp2(const float* x, size_t count, float* y) {
  HWY_DYNAMIC_DISPATCH(ApplyExp2)(x, count, y);
}
void vector_sin(const float* x, size_t count, float* y) {
  HWY_DYNAMIC_DISPATCH(ApplySine)(x, count, y);
}
void vector_tanh(const float* x, size_t count, float* y) {
  HWY_DYNAMIC_DISPATCH(ApplyHyperbolicTangent)(x, count, y);
}
void vector_normal(const float* x, size_t count, float* y) {
  HWY_DYNAMIC_DISPATCH(ApplyNormalDistribution)(x, count, y);
}

double exact_exp(double x) {
  return std::exp(x);
}
double exact_exp2(double x) {
  return std::exp2(x);
}
double exact_sin(double x) {
  return std::sin(x);
}
double exact_tanh(double x) {
  return std::tanh(x);
}
double exact_normal(double x) {
  return 0.5 * std::erfc(-x / std::sqrt(2.0));
}

TEST_P(VectorMathTest, Exponential) {
  EXPECT_LT(largest_error(arguments(-87, 88), vector_exp, exact_exp, true), 2e-7);
  EXPECT_EQ(value(vector_exp, 0.0f), 1.0f);
  for (const float large : {100.0f, std::numeric_limits<float>::max(), kInfinity}) {
    EXPECT_EQ(value(vector_exp, large), value(vector_exp, 88.0f)) << large;
    EXPECT_EQ(value(vector_exp, -large), value(vector_exp, -87.0f)) << large;
  }
}

TEST_P(VectorMathTest, Exp2) {
  EXPECT_LT(largest_error(arguments(-126, 127), vector_exp2, exact_exp2, true), 2e-7);
  for (int power = -126; power <= 127; ++power) {
    ASSERT_EQ(value(vector_exp2, static_cast<float>(power)), std::ldexp(1.0f, power));
  }
}

TEST_P(VectorMathTest, Sine) {
  EXPECT_LT(largest_error(arguments(-10, 10), vector_sin, exact_sin, false), 2e-7);
  EXPECT_LT(largest_error(arguments(-10'000, 10'000), vector_sin, exact_sin, false), 2e-7);
  EXPECT_EQ(value(vector_sin, 0.0f), 0.0f);
}

TEST_P(VectorMathTest, HyperbolicTangent) {
  EXPECT_LT(largest_error(arguments(-12, 12), vector_tanh, exact_tanh, true), 5e-7);
  EXPECT_LT(largest_error(arguments(-0.01, 0.01), vector_tanh, exact_tanh, true), 5e-7);
  for (const float large : {10.0f, 100.0f, std::numeric_limits<float>::max(), kInfinity}) {
    EXPECT_EQ(value(vector_tanh, large), 1.0f) << large;
    EXPECT_EQ(value(vector_tanh, -large), -1.0f) << large;
  }
}

TEST_P(VectorMathTest, NormalDistribution) {
  EXPECT_LT(largest_error(arguments(-20, 20), vector_normal, exact_normal, false), 1e-7);
  for (const float large : {100.0f, 1e10f, std::numeric_limits<float>::max(), kInfinity}) {
    EXPECT_EQ(value(vector_normal, large), 1.0f) << large;
    EXPECT_EQ(value(vector_normal, -large), kSmallest) << large;
  }
}

// What finds errors finds them: the functions next to each other are not each other.
TEST_P(VectorMathTest, AnotherFunctionFails) {
  EXPECT_GT(largest_error(arguments(-1, 1), vector_exp, exact_exp2, true), 0.1);
  EXPECT_GT(largest_error(arguments(-1, 1), vector_tanh, exact_sin, false), 0.01);
}

}  // namespace
}  // namespace m2
#endif
