// Number types of tensors in files and in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace m2 {

enum class DType : uint8_t { kF64, kF32, kF16, kBF16, kI64, kI32, kI16, kI8, kU8, kBool };

// Bytes of one element.
size_t dtype_size(DType dtype);
// "fp32", "bf16", "int64": the names that flags and messages use.
const char* dtype_name(DType dtype);
bool is_floating(DType dtype);

// bfloat16 and IEEE half, as their 16 bits. Narrowing rounds to nearest, ties to even; NaN stays
// NaN.
float bf16_to_float(uint16_t bits);
uint16_t float_to_bf16(float value);
float f16_to_float(uint16_t bits);
uint16_t float_to_f16(float value);

// `count` floating-point elements of `dtype` at `source`, of any alignment, as fp32 in `out`.
// Integers are refused by M2_CHECK.
void widen_to_float(DType dtype, const void* source, std::span<float> out);

// Its twin: `values` as fp32, fp16 or bf16 at `out`, of any alignment, each rounded to nearest,
// ties to even. What was widened from that dtype comes back as it was, NaNs apart. False where a
// finite value became an infinity. Other dtypes are refused by M2_CHECK.
bool narrow_from_float(DType dtype, std::span<const float> values, void* out);

}  // namespace m2
