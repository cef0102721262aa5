#include "kernels/gelu_gate.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/gelu_gate.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/cpu/vector_math-inl.h"
#include "kernels/isa.h"
#include "kernels/layout.h"

HWY_BEFORE_NAMESPACE();
namespace m2 {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
namespace {

using Tag = hn::CappedTag<float, kChannelBlock>;

template <bool kGated>
HWY_INLINE void GateRow(const float* h, const float* gate, size_t width, float* out) {
  const Tag d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= width; i += lanes) {
    auto y = Gelu(d, hn::LoadU(d, h + i));
    if constexpr (kGated) y = hn::Mul(y, hn::LoadU(d, gate + i));
    hn::StoreU(y, d, out + i);
  }
  if (i == width) return;
  // The last vector goes through buffers: no target but AVX-512 can load a part of one.
  HWY_ALIGN float left[kChannelBlock] = {};
  HWY_ALIGN float right[kChannelBlock] = {};
  std::copy(h + i, h + width, left);
  if constexpr (kGated) std::copy(gate + i, gate + width, right);
  auto y = Gelu(d, hn::Load(d, left));
  if constexpr (kGated) y = hn::Mul(y, hn::Load(d, right));
  hn::Store(y, d, left);
  std::copy_n(left, width - i, out + i);
}

}  // namespace

void GeluGate(const GeluGateTile& tile) {
  for (size_t row = 0; row < tile.rows; ++row) {
    const float* h = tile.h + row * tile.in_stride;
    float* out = tile.out + row * tile.out_stride;
    if (tile.gate != nullptr) {
      GateRow<true>(h, tile.gate + row * tile.in_stride, tile.width, out);
    } else {
      GateRow<false>(h, nullptr, tile.width, out);
    }
  }
}

namespace {

template <class D>
HWY_INLINE void GradientAt(D d, const float* h, const float* gate, const float* dout, float* dh,
                           float* dgate) {
  constexpr float kInverseRootOf2Pi = 0.398942280401432678f;
  const auto x = hn::LoadU(d, h), upper = hn::LoadU(d, dout);
  const auto below = NormalDistribution(d, x);
  const auto density = hn::Mul(hn::Set(d, kInverseRootOf2Pi),
                               Exponential(d, hn::Mul(hn::Mul(x, x), hn::Set(d, -0.5f))));
  hn::StoreU(hn::Mul(upper, hn::Mul(x, below)), d, dgate);
  const auto slope = hn::MulAdd(x, density, below);
  hn::StoreU(hn::Mul(hn::Mul(upper, hn::LoadU(d, gate)), slope), d, dh);
}

}  // namespace

void GeluGateBackward(const GeluGateGradientTile& tile) {
  const Tag d;
  for (size_t row = 0; row < tile.rows; ++row) {
    const size_t in = row * tile.in_stride, out = row * tile.out_stride;
    size_t i = 0;
    for (; i + hn::Lanes(d) <= tile.width; i += hn::Lanes(d)) {
      GradientAt(d, tile.h + in + i, tile.gate + in + i, tile.dout + out + i, tile.dh + in + i,
                 tile.dgate + in + i);
    }
    for (; i < tile.width; ++i) {
      GradientAt(hn::CappedTag<float, 1>(), tile.h + in + i, tile.gate + in + i,
                 tile.dout + out + i, tile.dh + in + i, tile.dgate + in + i);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace m2
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace m2 {
namespace {
HWY_EXPORT(GeluGate);
HWY_EXPORT(GeluGateBackward);
}  // namespace

void gelu_gate(const GeluGateTile& tile) {
  current_isa();
  HWY_DYNAMIC_DISPATCH(GeluGate)(tile);
}

void gelu_gate_gradient(const GeluGateGradientTile& tile) {
  current_isa();
  HWY_DYNAMIC_DISPATCH(GeluGateBackward)(tile);
}

}  // namespace m2
#endif
