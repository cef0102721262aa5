#include "kernels/block_product.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/block_product.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/isa.h"
#include "kernels/layout.h"

HWY_BEFORE_NAMESPACE();
namespace m2 {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
namespace {

using Tag = hn::CappedTag<float, kChannelBlock>;

// Four rows by two vectors: eight sums hide a fused product's latency and leave registers for x.
constexpr size_t kTileVectors = 2;

// kRows sums of kVectors vectors of columns from `column` on; `part` is 0, or how many columns of
// the one vector there are. Those go through a buffer: no target but AVX-512 can load a part.
template <size_t kRows, size_t kVectors, bool kPart>
HWY_INLINE void Tile(const BlockProduct<float>& product, size_t row, size_t column, size_t part) {
  const Tag d;
  const size_t lanes = hn::Lanes(d);
  HWY_ALIGN float buffer[kChannelBlock] = {};
  hn::Vec<Tag> sums[kRows][kVectors], x[kVectors];
  for (auto& row_sums : sums) {
    for (auto& sum : row_sums) sum = hn::Zero(d);
  }
  const float* weight = product.weight + row * product.in;
  for (size_t r = 0; r < product.in; ++r) {
    const float* from = product.x + r * product.x_stride + column;
    if constexpr (kPart) {
      std::copy_n(from, part, buffer);
      from = buffer;
    }
    for (size_t v = 0; v < kVectors; ++v) x[v] = hn::LoadU(d, from + v * lanes);
    for (size_t s = 0; s < kRows; ++s) {
      const auto factor = hn::Set(d, weight[s * product.in + r]);
      for (size_t v = 0; v < kVectors; ++v) sums[s][v] = hn::MulAdd(factor, x[v], sums[s][v]);
    }
  }
  for (size_t s = 0; s < kRows; ++s) {
    float* to = product.y + (row + s) * product.y_stride + column;
    if constexpr (kPart) {
      hn::Store(sums[s][0], d, buffer);
      std::copy_n(buffer, part, to);
    } else {
      for (size_t v = 0; v < kVectors; ++v) hn::StoreU(sums[s][v], d, to + v * lanes);
    }
  }
}

template <size_t kRows>
HWY_INLINE void Rows(const BlockProduct<float>& product, size_t row) {
  const size_t lanes = hn::Lanes(Tag());
  size_t column = 0;
  for (; column + kTileVectors * lanes <= product.columns; column += kTileVectors * lanes) {
    Tile<kRows, kTileVectors, false>(product, row, column, 0);
  }
  for (; column + lanes <= product.columns; column += lanes) {
    Tile<kRows, 1, false>(product, row, column, 0);
  }
  if (column < product.columns) {
    Tile<kRows, 1, true>(product, row, column, product.columns - column);
  }
}

}  // namespace

void MultiplyBlock(const BlockProduct<float>& product) {
  size_t row = 0;
  for (; row + 4 <= product.out; row += 4) Rows<4>(product, row);
  for (; row + 2 <= product.out; row += 2) Rows<2>(product, row);
  for (; row < product.out; ++row) Rows<1>(product, row);
}

}  // namespace HWY_NAMESPACE
}  // namespace m2
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace m2 {
namespace {
HWY_EXPORT(MultiplyBlock);
}  // namespace

void block_product(const BlockProduct<float>& product) {
  current_isa();
  HWY_DYNAMIC_DISPATCH(MultiplyBlock)(product);
}

}  // namespace m2
#endif
