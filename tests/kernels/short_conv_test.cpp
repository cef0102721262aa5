#include "kernels/short_conv.h"

#include "kernel_test.h"

namespace m2 {
namespace {

class ShortConvTest : public KernelTest {};
M2_INSTANTIATE_KERNEL_TEST(ShortConvTest);

// A row is three products and four sums in fp32: 2e-7 of a typical element. A tap's gradient sums
// as many products as there are rows, in order: sqrt(rows)·eps/2, below 1e-6 for 300.
constexpr double kRowBound = 3e-7;
constexpr double kSumBound = 1e-6;

struct Case {
  size_t rows, channels, x_stride, y_stride;
  std::vector<float> x, dy, taps, bias;

  Case(size_t text_rows, size_t width)
      : rows(text_rows), channels(width), x_stride(width + 5), y_stride(width + 3) {
    x = random_floats(rows * x_stride, 1);
    dy = random_floats(rows * y_stride, 2);
    taps = random_floats(3 * channels, 3);
    bias = random_floats(channels, 4);
  }

  ShortConvText text() const {
    ShortConvText text;
    text.rows = rows;
    text.channels = channels;
    text.x_stride = x_stride;
    text.y_stride = y_stride;
    text.x = x.data();
    text.taps = taps.data();
    text.bias = bias.data();
    return text;
  }

  ShortConvGradient gradient() const {
    ShortConvGradient text;
    text.rows = rows;
    text.channels = channels;
    text.x_stride = x_stride;
    text.y_stride = y_stride;
    text.x = x.data();
    text.taps = taps.data();
    text.dy = dy.data();
    return text;
  }
};

// [rows][stride] without what lies between rows.
std::vector<float> packed(const std::vector<float>& rows, size_t stride, size_t channels) {
  std::vector<float> out;
  for (size_t first = 0; first < rows.size(); first += stride) {
    out.insert(out.end(), rows.begin() + static_cast<ptrdiff_t>(first),
               rows.begin() + static_cast<ptrdiff_t>(first + channels));
  }
  return out;
}

std::vector<float> convolved(const Case& c) {
  std::vector<float> y(c.rows * c.y_stride, -1.0f);
  ShortConvText text = c.text();
  text.y = y.data();
  short_conv(text);
  for (size_t t = 0; t < c.rows; ++t) EXPECT_EQ(y[t * c.y_stride + c.channels], -1.0f);
  return packed(y, c.y_stride, c.channels);
}

std::vector<double> expected(const Case& c) {
  std::vector<double> y(c.rows * c.channels);
  reference::short_conv(c.text(), y.data());
  return y;
}

constexpr std::pair<size_t, size_t> kShapes[] = {{1, 1},   {2, 3},     {3, 17},   {5, 8},
                                                 {64, 33}, {129, 255}, {300, 256}};

TEST_P(ShortConvTest, MatchesTheReference) {
  for (const auto& [rows, channels] : kShapes) {
    const Case c(rows, channels);
    EXPECT_LT(relative_error(convolved(c), expected(c)), kRowBound) << rows << "×" << channels;
  }
}

TEST_P(ShortConvTest, GradientsMatchTheReferenceAndAreAddedTo) {
  for (const auto& [rows, channels] : kShapes) {
    SCOPED_TRACE(testing::Message() << rows << "×" << channels);
    const Case c(rows, channels);
    std::vector<float> dx(rows * c.x_stride, -1.0f), dtaps(3 * channels, 1.0f),
        dbias(channels, 2.0f);
    ShortConvGradient text = c.gradient();
    text.dx = dx.data();
    text.dtaps = dtaps.data();
    text.dbias = dbias.data();
    short_conv_gradient(text);
    std::vector<double> dx_wanted(rows * channels), dtaps_wanted(3 * channels),
        dbias_wanted(channels);
    reference::short_conv_gradient(c.gradient(), dx_wanted.data(), dtaps_wanted.data(),
                                   dbias_wanted.data());
    for (double& value : dtaps_wanted) value += 1;
    for (double& value : dbias_wanted) value += 2;
    EXPECT_LT(relative_error(packed(dx, c.x_stride, channels), dx_wanted), kRowBound);
    EXPECT_LT(relative_error(dtaps, dtaps_wanted), kSumBound);
    EXPECT_LT(relative_error(dbias, dbias_wanted), kSumBound);
  }
}

TEST_P(ShortConvTest, TapsInTheOtherOrderFail) {
  Case c(64, 33);
  const auto wanted = expected(c);
  std::swap_ranges(c.taps.begin(), c.taps.begin() + 33, c.taps.begin() + 66);
  EXPECT_GT(relative_error(convolved(c), wanted), 0.1);
}

}  // namespace
}  // namespace m2
