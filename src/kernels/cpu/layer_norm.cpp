#include "kernels/layer_norm.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/layer_norm.cpp"
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

// Calls body(channel, mask) for each vector of a row; the mask leaves out filling channels.
template <class Body>
HWY_INLINE void ForEachVector(size_t channels, const Body& body) {
  const Tag d;
  const size_t padded = round_up(channels, kChannelBlock);
  for (size_t channel = 0; channel < padded; channel += hn::Lanes(d)) {
    body(channel, hn::FirstN(d, channel < channels ? channels - channel : 0));
  }
}

void NormRow(const LayerNormTile& tile, size_t row) {
  const Tag d;
  const float* x = tile.x + row * tile.stride;
  const float* residual = tile.residual == nullptr ? nullptr : tile.residual + row * tile.stride;
  float* out = tile.out + row * tile.stride;
  const float scale = 1.0f / static_cast<float>(tile.channels);

  auto sum = hn::Zero(d);
  ForEachVector(tile.channels, [&](size_t c, auto mask) HWY_ATTR {
    auto z = hn::Load(d, x + c);
    if (residual != nullptr) z = hn::Add(z, hn::Load(d, residual + c));
    z = hn::IfThenElseZero(mask, z);
    hn::Store(z, d, out + c);
    sum = hn::Add(sum, z);
  });
  const auto mean = hn::Mul(hn::SumOfLanes(d, sum), hn::Set(d, scale));

  auto squares = hn::Zero(d);
  ForEachVector(tile.channels, [&](size_t c, auto mask) HWY_ATTR {
    const auto delta = hn::IfThenElseZero(mask, hn::Sub(hn::Load(d, out + c), mean));
    squares = hn::MulAdd(delta, delta, squares);
  });
  const auto variance = hn::Mul(hn::SumOfLanes(d, squares), hn::Set(d, scale));
  const auto inverse = hn::Div(hn::Set(d, 1.0f), hn::Sqrt(hn::Add(variance, hn::Set(d, tile.eps))));

  ForEachVector(tile.channels, [&](size_t c, auto mask) HWY_ATTR {
    const auto centred = hn::Mul(hn::Sub(hn::Load(d, out + c), mean), inverse);
    const auto y = hn::MulAdd(centred, hn::Load(d, tile.weight + c), hn::Load(d, tile.bias + c));
    hn::Store(hn::IfThenElseZero(mask, y), d, out + c);
  });
}

}  // namespace

void LayerNorm(const LayerNormTile& tile) {
  for (size_t row = 0; row < tile.rows; ++row) NormRow(tile, row);
}

}  // namespace HWY_NAMESPACE
}  // namespace m2
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace m2 {
namespace {
HWY_EXPORT(LayerNorm);
}  // namespace

void layer_norm(const LayerNormTile& tile) {
  current_isa();
  HWY_DYNAMIC_DISPATCH(LayerNorm)(tile);
}

}  // namespace m2
#endif
