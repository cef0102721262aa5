// A row tile as the products of one Linear read it: fp32 as it is, rounded to bf16, or quantised.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/aligned_buffer.h"
#include "core/dtype.h"

namespace m2 {

// What a model's large products can be computed in.
inline constexpr std::array<DType, 3> kProductTypes = {DType::kF32, DType::kBF16, DType::kI8};

struct Operand {
  const void* rows = nullptr;     // first element of row 0
  const float* scales = nullptr;  // of int8: [block of the Linear][kTileRows]
};

// Memory for one tile's operand; kept by its owner from tile to tile.
struct OperandBuffer {
  AlignedBuffer<float> blocks;
  AlignedBuffer<uint16_t> rounded;
  AlignedBuffer<uint8_t> quantised;
  AlignedBuffer<float> scales;
};

// The type that a Linear which is asked for `wanted` multiplies: `wanted` itself where the machine
// has such products (ops/gemm/matmul.h), else fp32 with the weights rounded or quantised as wanted.
DType operand_type(DType wanted);

// For tests: from now on every wanted type is multiplied as such, by plain loops where the machine
// has no products of it.
void emulate_products_for_test(bool emulate);

}  // namespace m2
