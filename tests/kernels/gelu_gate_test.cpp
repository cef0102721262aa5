#include "kernels/gelu_gate.h"

#include "core/aligned_buffer.h"
#include "kernel_test.h"
#include "kernels/layout.h"

namespace m2 {
namespace {

class GeluGateTest : public KernelTest {};
M2_INSTANTIATE_KERNEL_TEST(GeluGateTest);

// Φ is good to 1e-7 (vector_math-inl.h), the products add 1.2e-7: 3e-7 of a typical element.
constexpr double kBound = 3e-7;

TEST_P(GeluGateTest, MatchesTheReferenceAtAwkwardWidths) {
  for (const bool gated : {true, false}) {
    for (const size_t width : {1u, 7u, 16u, 17u, 250u, 256u}) {
      const size_t stride = round_up(width, kChannelBlock) + 2 * kChannelBlock;
      const auto h = random_floats(3 * 2 * width, 1, 2.0);
      AlignedBuffer<float> out(3 * stride);
      std::vector<double> expected(3 * stride, -1.0);
      std::fill(out.data(), out.data() + out.size(), -1.0f);
      const GeluGateTile tile = {
          3, width, 2 * width, stride, h.data(), gated ? h.data() + width : nullptr, out.data()};
      gelu_gate(tile);
      reference::gelu_gate(tile, expected.data());
      EXPECT_LT(relative_error(out, expected), kBound) << width;
      for (size_t i = width; i < stride; ++i) EXPECT_EQ(out[i], -1.0f) << "written beyond";
    }
  }
}

TEST_P(GeluGateTest, HoldsOverTheWholeRange) {
  std::vector<float> h;
  for (int i = -40000; i <= 40000; ++i) h.push_back(static_cast<float>(i) * 1e-3f);
  const size_t stride = round_up(h.size(), kChannelBlock);
  AlignedBuffer<float> out(stride);
  std::vector<double> expected(stride);
  const GeluGateTile tile = {1, h.size(), h.size(), stride, h.data(), nullptr, out.data()};
  gelu_gate(tile);
  reference::gelu_gate(tile, expected.data());
  for (size_t i = 0; i < h.size(); ++i) {
    const double bound = 2e-7 * std::fabs(static_cast<double>(h[i])) + 1e-30;
    ASSERT_NEAR(out[i], expected[i], bound) << h[i];
  }
}

TEST_P(GeluGateTest, SwappedHalvesFail) {
  const auto h = random_floats(64, 1);
  std::vector<float> swapped(h.begin() + 32, h.end());
  swapped.insert(swapped.end(), h.begin(), h.begin() + 32);
  AlignedBuffer<float> out(32);
  std::vector<double> expected(32);
  gelu_gate({1, 32, 64, 32, swapped.data(), swapped.data() + 32, out.data()});
  reference::gelu_gate({1, 32, 64, 32, h.data(), h.data() + 32, nullptr}, expected.data());
  EXPECT_GT(relative_error(out, expected), 0.1);
}

TEST_P(GeluGateTest, NotANumberComesThrough) {
  const std::vector<float> h(16, std::nanf(""));
  AlignedBuffer<float> out(16);
  gelu_gate({1, 16, 16, 16, h.data(), nullptr, out.data()});
  for (size_t i = 0; i < 16; ++i) EXPECT_TRUE(std::isnan(out[i]));
}

struct Gradients {
  std::vector<float> dh, dgate;
  std::vector<double> dh_wanted, dgate_wanted;
};

// Three rows of random halves; the slope times `factor` is what the reference is asked for.
Gradients gradients(size_t width, float factor = 1) {
  const auto h = random_floats(3 * 2 * width, 1, 2.0);
  auto dout = random_floats(3 * width, 2);
  std::vector<float> both(3 * 2 * width);
  GeluGateGradientTile tile = {3,           width,       2 * width,
                               width,       h.data(),    h.data() + width,
                               dout.data(), both.data(), both.data() + width};
  gelu_gate_gradient(tile);
  Gradients found;
  for (size_t row = 0; row < 3; ++row) {
    const float* first = both.data() + row * 2 * width;
    found.dh.insert(found.dh.end(), first, first + width);
    found.dgate.insert(found.dgate.end(), first + width, first + 2 * width);
  }
  for (float& value : dout) value *= factor;
  found.dh_wanted.resize(3 * width);
  found.dgate_wanted.resize(3 * width);
  reference::gelu_gate_gradient(tile, found.dh_wanted.data(), found.dgate_wanted.data());
  return found;
}

TEST_P(GeluGateTest, GradientsMatchTheReference) {
  for (const size_t width : {1u, 7u, 16u, 17u, 250u, 256u}) {
    const Gradients g = gradients(width);
    EXPECT_LT(relative_error(g.dh, g.dh_wanted), 2 * kBound) << width;  // Φ and φ
    EXPECT_LT(relative_error(g.dgate, g.dgate_wanted), kBound) << width;
  }
}

TEST_P(GeluGateTest, GradientsOfAnotherSlopeFail) {
  const Gradients g = gradients(64, 1.001f);
  EXPECT_GT(relative_error(g.dh, g.dh_wanted), 5e-4);
}

}  // namespace
}  // namespace m2
