#include "kernels/number_types.h"

#include <algorithm>
#include <bit>
#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/number_types.cpp"
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

// Calls body(first, count) for each vector of a row, count lanes of which are within it.
template <class Body>
HWY_INLINE void ForEachVector(size_t width, const Body& body) {
  const size_t lanes = hn::Lanes(Tag());
  for (size_t i = 0; i < width; i += lanes) body(i, std::min(lanes, width - i));
}

// Lanes beyond `count` are zero. No target but AVX-512 can load a part of a vector.
template <class T>
HWY_INLINE auto LoadPart(const T* source, size_t count) {
  const hn::Rebind<T, Tag> d;
  if (count == hn::Lanes(d)) return hn::LoadU(d, source);
  HWY_ALIGN T part[kChannelBlock] = {};
  std::copy_n(source, count, part);
  return hn::Load(d, part);
}

template <class D, class V, class T>
HWY_INLINE void StorePart(D d, V value, size_t count, T* target) {
  if (count == hn::Lanes(d)) return hn::StoreU(value, d, target);
  HWY_ALIGN T part[kChannelBlock];
  hn::Store(value, d, part);
  std::copy_n(part, count, target);
}

}  // namespace

void RoundToBf16(const RoundTile& tile) {
  const hn::RebindToSigned<Tag> di;
  const hn::Rebind<uint16_t, Tag> d16;
  const auto half = hn::Set(di, 0x7fff), one = hn::Set(di, 1), low = hn::Set(di, 0xffff);
  const auto quiet = hn::Set(di, 0x7fc0);
  for (size_t row = 0; row < tile.rows; ++row) {
    const float* in = tile.in + row * tile.in_stride;
    uint16_t* out = tile.out + row * tile.out_stride;
    ForEachVector(tile.width, [&](size_t i, size_t count) HWY_ATTR {
      const auto value = LoadPart(in + i, count);
      const auto bits = hn::BitCast(di, value);
      const auto odd = hn::And(hn::ShiftRight<16>(bits), one);
      const auto rounded = hn::ShiftRight<16>(hn::Add(hn::Add(bits, half), odd));
      const auto nan = hn::RebindMask(di, hn::IsNaN(value));
      const auto kept = hn::And(hn::IfThenElse(nan, quiet, rounded), low);
      StorePart(d16, hn::DemoteTo(d16, kept), count, out + i);
    });
  }
}

void QuantiseRows(const QuantiseTile& tile) {
  const Tag d;
  const hn::RebindToSigned<Tag> di;
  const hn::Rebind<uint8_t, Tag> d8;
  const auto zero = hn::Set(di, kUnsignedZero);
  for (size_t row = 0; row < tile.rows; ++row) {
    const float* in = tile.in + row * tile.in_stride;
    auto largest = hn::Zero(d);
    ForEachVector(tile.width, [&](size_t i, size_t count) HWY_ATTR {
      largest = hn::Max(largest, hn::Abs(LoadPart(in + i, count)));
    });
    const float bound = hn::GetLane(hn::MaxOfLanes(d, largest));
    tile.scales[row] = bound / static_cast<float>(kLargestInteger);
    const float inverse = bound > 0 ? static_cast<float>(kLargestInteger) / bound : 0.0f;
    // The inverse of a tiny bound overflows: such a row is as good as zero.
    const auto factor = hn::Set(d, std::isfinite(inverse) ? inverse : 0.0f);
    uint8_t* out = tile.out + row * tile.out_stride;
    ForEachVector(tile.width, [&](size_t i, size_t count) HWY_ATTR {
      const auto whole = hn::NearestInt(hn::Mul(LoadPart(in + i, count), factor));
      StorePart(d8, hn::DemoteTo(d8, hn::Add(whole, zero)), count, out + i);
    });
  }
}

void Dequantise(const DequantiseTile& tile) {
  const Tag d;
  const hn::RebindToSigned<Tag> di;
  for (size_t row = 0; row < tile.rows; ++row) {
    float* data = tile.data + row * tile.stride;
    const auto row_scale = hn::Set(d, tile.row_scales[row]);
    ForEachVector(tile.width, [&](size_t i, size_t count) HWY_ATTR {
      const auto product = hn::BitCast(di, LoadPart(data + i, count));
      const auto value = hn::ConvertTo(d, hn::Sub(product, LoadPart(tile.offsets + i, count)));
      const auto scale = hn::Mul(row_scale, LoadPart(tile.column_scales + i, count));
      const auto bias = tile.bias == nullptr ? hn::Zero(d) : LoadPart(tile.bias + i, count);
      StorePart(d, hn::MulAdd(value, scale, bias), count, data + i);
    });
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace m2
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace m2 {
namespace {
HWY_EXPORT(RoundToBf16);
HWY_EXPORT(QuantiseRows);
HWY_EXPORT(Dequantise);
}  // namespace

void round_to_bf16(const RoundTile& tile) {
  current_isa();
  HWY_DYNAMIC_DISPATCH(RoundToBf16)(tile);
}

void quantise_rows(const QuantiseTile& tile) {
  current_isa();
  HWY_DYNAMIC_DISPATCH(QuantiseRows)(tile);
}

void dequantise(const DequantiseTile& tile) {
  current_isa();
  HWY_DYNAMIC_DISPATCH(Dequantise)(tile);
}

float quantise_weights(const float* weights, size_t count, int8_t* out) {
  float largest = 0;
  for (size_t i = 0; i < count; ++i) largest = std::max(largest, std::fabs(weights[i]));
  // Rounded up to 16 bits: times 7 bits of an integer that is exact.
  const uint32_t bits = std::bit_cast<uint32_t>(largest / static_cast<float>(kLargestInteger));
  const float scale = std::bit_cast<float>((bits + 0xffu) & ~0xffu);
  for (size_t i = 0; i < count; ++i) {
    out[i] = scale > 0 ? static_cast<int8_t>(std::lrint(weights[i] / scale)) : int8_t{0};
  }
  return scale;
}

}  // namespace m2
#endif
