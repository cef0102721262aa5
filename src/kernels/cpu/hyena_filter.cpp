#include "kernels/hyena_filter.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/hyena_filter.cpp"
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
}  // namespace

void FilterSine(const SineTile& tile) {
  const Tag d;
  for (size_t row = 0; row < tile.rows; ++row) {
    float* x = tile.x + row * tile.stride;
    for (size_t c = 0; c < tile.channels; c += hn::Lanes(d)) {
      const auto angle = hn::Mul(hn::Load(d, tile.frequency + c), hn::Load(d, x + c));
      hn::Store(Sine(d, angle), d, x + c);
    }
  }
}

void FilterDecay(const DecayBlock& block) {
  const Tag d;
  for (size_t lane = 0; lane < kChannelBlock; lane += hn::Lanes(d)) {
    const auto rate = hn::Neg(hn::Abs(hn::Load(d, block.delta + lane)));
    float* target = block.kernel + lane;
    for (size_t row = 0; row < block.rows; ++row) {
      const auto decay = Exponential(d, hn::Mul(hn::Set(d, block.time[row]), rate));
      const auto tap = hn::Load(d, block.taps + row * block.tile_stride + lane);
      hn::Store(hn::Mul(tap, decay), d, target);
      target += block.kernel_step;
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace m2
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace m2 {
namespace {
HWY_EXPORT(FilterSine);
HWY_EXPORT(FilterDecay);
}  // namespace

void filter_sine(const SineTile& tile) {
  current_isa();
  HWY_DYNAMIC_DISPATCH(FilterSine)(tile);
}

void filter_decay(const DecayBlock& block) {
  current_isa();
  HWY_DYNAMIC_DISPATCH(FilterDecay)(block);
}

}  // namespace m2
#endif
