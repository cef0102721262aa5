#include "kernels/short_conv.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/short_conv.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "core/error.h"
#include "kernels/isa.h"
#include "kernels/layout.h"

HWY_BEFORE_NAMESPACE();
namespace m2 {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
namespace {

using VectorTag = hn::CappedTag<float, kChannelBlock>;
using SingleTag = hn::CappedTag<float, 1>;

// Calls body(tag, c) for each vector of channels, and for each of the channels that fill none.
template <class Body>
HWY_INLINE void ForEachVector(size_t channels, const Body& body) {
  const VectorTag d;
  size_t c = 0;
  for (; c + hn::Lanes(d) <= channels; c += hn::Lanes(d)) body(d, c);
  for (; c < channels; ++c) body(SingleTag(), c);
}

// Rows beside a text's are zero.
alignas(64) constexpr float kZeroRow[kShortConvChannels] = {};

}  // namespace

void ShortConv(const ShortConvText& text) {
  const size_t n = text.channels;
  const auto row = [&](size_t t, size_t back) {
    return t >= back ? text.x + (t - back) * text.x_stride : kZeroRow;
  };
  for (size_t t = 0; t < text.rows; ++t) {
    const float *x = row(t, 0), *last = row(t, 1), *before = row(t, 2);
    float* y = text.y + t * text.y_stride;
    ForEachVector(n, [&](auto d, size_t c) HWY_ATTR {
      auto sum = hn::LoadU(d, text.bias + c);
      sum = hn::MulAdd(hn::LoadU(d, text.taps + c), hn::LoadU(d, before + c), sum);
      sum = hn::MulAdd(hn::LoadU(d, text.taps + n + c), hn::LoadU(d, last + c), sum);
      sum = hn::MulAdd(hn::LoadU(d, text.taps + 2 * n + c), hn::LoadU(d, x + c), sum);
      hn::StoreU(sum, d, y + c);
    });
  }
}

// dx[t] = w[2]·dy[t] + w[1]·dy[t+1] + w[0]·dy[t+2]; the sums of dy[t]·x[t], dy[t+1]·x[t] and
// dy[t+2]·x[t] are the taps' gradients.
void ShortConvBackward(const ShortConvGradient& text) {
  const size_t n = text.channels;
  HWY_ALIGN float sums[4][kShortConvChannels] = {};  // of w[0], w[1], w[2] and the bias
  const auto row = [&](size_t t) { return t < text.rows ? text.dy + t * text.y_stride : kZeroRow; };
  for (size_t t = 0; t < text.rows; ++t) {
    const float *dy = row(t), *next = row(t + 1), *after = row(t + 2);
    const float* x = text.x + t * text.x_stride;
    float* dx = text.dx + t * text.x_stride;
    ForEachVector(n, [&](auto d, size_t c) HWY_ATTR {
      const auto here = hn::LoadU(d, dy + c), one = hn::LoadU(d, next + c);
      const auto two = hn::LoadU(d, after + c), in = hn::LoadU(d, x + c);
      auto sum = hn::Mul(hn::LoadU(d, text.taps + c), two);
      sum = hn::MulAdd(hn::LoadU(d, text.taps + n + c), one, sum);
      hn::StoreU(hn::MulAdd(hn::LoadU(d, text.taps + 2 * n + c), here, sum), d, dx + c);
      const auto add = [&](float* to, auto product)
                           HWY_ATTR { hn::StoreU(hn::Add(hn::LoadU(d, to), product), d, to); };
      add(sums[0] + c, hn::Mul(two, in));
      add(sums[1] + c, hn::Mul(one, in));
      add(sums[2] + c, hn::Mul(here, in));
      add(sums[3] + c, here);
    });
  }
  for (size_t c = 0; c < n; ++c) {
    for (size_t tap = 0; tap < 3; ++tap) text.dtaps[tap * n + c] += sums[tap][c];
    text.dbias[c] += sums[3][c];
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace m2
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace m2 {
namespace {
HWY_EXPORT(ShortConv);
HWY_EXPORT(ShortConvBackward);
}  // namespace

void short_conv(const ShortConvText& text) {
  M2_CHECK(text.channels <= kShortConvChannels);
  current_isa();
  HWY_DYNAMIC_DISPATCH(ShortConv)(text);
}

void short_conv_gradient(const ShortConvGradient& text) {
  M2_CHECK(text.channels <= kShortConvChannels);
  current_isa();
  HWY_DYNAMIC_DISPATCH(ShortConvBackward)(text);
}

}  // namespace m2
#endif
