#include "core/dtype.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "core/error.h"

namespace m2 {
namespace {

struct DTypeInfo {
  const char* name;
  size_t size;
  bool floating;
};

constexpr std::array<DTypeInfo, 10> kDTypes = {{{"fp64", 8, true},
                                                {"fp32", 4, true},
                                                {"fp16", 2, true},
                                                {"bf16", 2, true},
                                                {"int64", 8, false},
                                                {"int32", 4, false},
                                                {"int16", 2, false},
                                                {"int8", 1, false},
                                                {"uint8", 1, false},
                                                {"bool", 1, false}}};

const DTypeInfo& info(DType dtype) {
  return kDTypes[static_cast<size_t>(dtype)];
}

template <class Stored, class Widen>
void widen(const void* source, std::span<float> out, Widen&& to_float) {
  const char* bytes = static_cast<const char*>(source);
  for (size_t i = 0; i < out.size(); ++i) {
    Stored value;
    std::memcpy(&value, bytes + i * sizeof(Stored), sizeof(Stored));
    out[i] = to_float(value);
  }
}

// False where a finite value became one whose exponent's bits are all ones.
template <class Narrow>
bool narrow(std::span<const float> values, void* out, uint16_t exponent, Narrow&& from_float) {
  char* bytes = static_cast<char*>(out);
  bool kept = true;
  for (size_t i = 0; i < values.size(); ++i) {
    const uint16_t bits = from_float(values[i]);
    kept &= (bits & exponent) != exponent || !std::isfinite(values[i]);
    std::memcpy(bytes + i * sizeof bits, &bits, sizeof bits);
  }
  return kept;
}

}  // namespace

size_t dtype_size(DType dtype) {
  return info(dtype).size;
}
const char* dtype_name(DType dtype) {
  return info(dtype).name;
}
bool is_floating(DType dtype) {
  return info(dtype).floating;
}

float bf16_to_float(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

uint16_t float_to_bf16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if (std::isnan(value)) return static_cast<uint16_t>((bits >> 16) | 0x40u);
  const uint32_t round = 0x7FFFu + ((bits >> 16) & 1u);
  return static_cast<uint16_t>((bits + round) >> 16);
}

float f16_to_float(uint16_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000u) << 16;
  const uint32_t exponent = (bits >> 10) & 0x1Fu;
  const uint32_t mantissa = bits & 0x3FFu;
  if (exponent == 0) {  // zero and subnormals: mantissa * 2^-24
    const float magnitude = std::ldexp(static_cast<float>(mantissa), -24);
    return sign != 0 ? -magnitude : magnitude;
  }
  const uint32_t wide_exponent = exponent == 0x1F ? 0xFFu : exponent + (127 - 15);
  return std::bit_cast<float>(sign | (wide_exponent << 23) | (mantissa << 13));
}

uint16_t float_to_f16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (bits >> 16) & 0x8000u;
  const float magnitude = std::fabs(value);
  if (std::isnan(value)) return static_cast<uint16_t>(sign | 0x7E00u);
  if (magnitude == 0.0f) return static_cast<uint16_t>(sign);
  if (magnitude >= 65520.0f) return static_cast<uint16_t>(sign | 0x7C00u);
  // Below the smallest normal half the spacing is 2^-24; above it, 2^(e-10).
  int exponent = 0;
  std::frexp(magnitude, &exponent);
  const int spacing = std::max(exponent - 11, -24);
  const float rounded = std::nearbyint(std::ldexp(magnitude, -spacing));
  const uint32_t units = static_cast<uint32_t>(rounded);
  const uint32_t base = static_cast<uint32_t>(spacing + 24) << 10;
  return static_cast<uint16_t>(sign | (base + units));
}

void widen_to_float(DType dtype, const void* source, std::span<float> out) {
  switch (dtype) {
    case DType::kF64:
      return widen<double>(source, out, [](double v) { return static_cast<float>(v); });
    case DType::kF32:
      std::memcpy(out.data(), source, out.size_bytes());
      return;
    case DType::kF16:
      return widen<uint16_t>(source, out, f16_to_float);
    case DType::kBF16:
      return widen<uint16_t>(source, out, bf16_to_float);
    default:
      M2_CHECK(is_floating(dtype));
  }
}

bool narrow_from_float(DType dtype, std::span<const float> values, void* out) {
  if (dtype == DType::kF16) return narrow(values, out, 0x7C00u, float_to_f16);
  if (dtype == DType::kBF16) return narrow(values, out, 0x7F80u, float_to_bf16);
  M2_CHECK(dtype == DType::kF32);
  std::memcpy(out, values.data(), values.size_bytes());
  return true;
}

}  // namespace m2
