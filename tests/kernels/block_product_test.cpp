#include "kernels/block_product.h"

#include "kernel_test.h"

namespace m2 {
namespace {

class BlockProductTest : public KernelTest {};
M2_INSTANTIATE_KERNEL_TEST(BlockProductTest);

struct Case {
  BlockProduct<float> product;
  std::vector<float> weight, x, y;

  Case(size_t out, size_t in, size_t columns, size_t gap = 3)
      : weight(random_floats(out * in, 1)),
        x(random_floats(in * (columns + gap), 2)),
        y(out * (columns + gap), -1.0f) {
    product = {out, in, columns, weight.data(), x.data(), columns + gap, y.data(), columns + gap};
  }

  std::vector<double> expected() const {
    std::vector<double> result(y.size(), -1.0);
    for (size_t s = 0; s < product.out; ++s) {
      for (size_t c = 0; c < product.columns; ++c) {
        double sum = 0;
        for (size_t r = 0; r < product.in; ++r) {
          sum += static_cast<double>(weight[s * product.in + r]) *
                 static_cast<double>(x[r * product.x_stride + c]);
        }
        result[s * product.y_stride + c] = sum;
      }
    }
    return result;
  }
};

// eps·√in of a sum of `in` rounded products, thrice that, at in = 257.
constexpr double kBound = 3 * 6e-8 * 16;

TEST_P(BlockProductTest, MatchesDirectSumsAndWritesNothingElse) {
  for (const size_t out : {1u, 2u, 3u, 5u, 7u, 16u}) {
    for (const size_t in : {1u, 2u, 17u, 257u}) {
      for (const size_t columns : {1u, 3u, 8u, 15u, 16u, 31u, 33u, 64u}) {
        Case c(out, in, columns);
        block_product(c.product);
        EXPECT_LT(relative_error(c.y, c.expected()), kBound) << out << " " << in << " " << columns;
        EXPECT_EQ(c.y.back(), -1.0f);
      }
    }
  }
}

TEST_P(BlockProductTest, ANeighbouringColumnChangesNoBit) {
  Case together(7, 33, 45);
  block_product(together.product);
  for (const size_t column : {0u, 31u, 32u, 44u}) {
    BlockProduct<float> alone = together.product;
    std::vector<float> y(7);
    alone.columns = 1;
    alone.x += column;
    alone.y = y.data();
    alone.y_stride = 1;
    block_product(alone);
    for (size_t s = 0; s < 7; ++s) {
      EXPECT_EQ(y[s], together.y[s * together.product.y_stride + column]) << column;
    }
  }
}

TEST_P(BlockProductTest, TwoRowsExchangedFail) {
  Case c(4, 8, 16, 0);
  block_product(c.product);
  std::swap_ranges(c.y.begin(), c.y.begin() + 16, c.y.begin() + 16);
  EXPECT_GT(relative_error(c.y, c.expected()), 0.1);
}

TEST_P(BlockProductTest, StandsInForThePlainBlocks) {
  std::vector<MonarchFactor<float>> factors =
      zero_factors<float>(monarch_shapes(std::vector<size_t>{13, 12}));
  for (MonarchFactor<float>& factor : factors) {
    factor.weight = random_floats(factor.weight.size(), factor.shape.inner);
  }
  const MonarchMatrix<float> matrix(std::move(factors));
  const std::vector<float> x = random_floats(156 * 5, 4);
  const std::vector<float> expected = multiply<float>(matrix, x, 5);
  std::vector<float> y(x.size());
  ThreadPool pool(2);
  ProductWorkspace<float> workspace;
  multiply<float>(matrix, 5, x.data(), y.data(), pool, workspace, block_product);
  EXPECT_LT(relative_error(y, expected), kBound);
}

}  // namespace
}  // namespace m2
