// Sizes of tensors whose shapes come from outside.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>

#include "core/dtype.h"

namespace m2 {

// More dimensions than any tensor library has.
inline constexpr size_t kMaxRank = 64;

// Bytes of a tensor, or nothing when an extent is negative, there are more than kMaxRank of them,
// or the product of the extents that are not 0 leaves int64: then TensorView::elements() could
// overflow on the way, whatever its result.
inline std::optional<uint64_t> checked_tensor_bytes(std::span<const int64_t> shape, DType dtype) {
  if (shape.size() > kMaxRank) return std::nullopt;
  int64_t product = static_cast<int64_t>(dtype_size(dtype));
  bool empty = false;
  for (const int64_t extent : shape) {
    if (extent < 0) return std::nullopt;
    if (extent == 0) {
      empty = true;
    } else if (__builtin_mul_overflow(product, extent, &product)) {
      return std::nullopt;
    }
  }
  return empty ? 0 : static_cast<uint64_t>(product);
}

}  // namespace m2
