// One tile's matrix product, done by oneDNN on the calling thread alone. The only code that knows
// oneDNN.
#pragma once

#include <compare>
#include <cstddef>
#include <memory>
#include <string>

#include "core/dtype.h"

namespace m2 {

// Rows of a tile: kTileRows, or any smaller multiple of kTileStep. A GEMM is called on a whole
// tile. Fewer rows than 64 read the weights too often; more gain nothing.
inline constexpr size_t kTileStep = 16;
inline constexpr size_t kTileRows = 64;

// Whether this machine, under the instruction set in use, multiplies that type by itself: fp32
// always; bf16 where it has AVX-512's bf16 or AMX; int8 where it has VNNI, without which oneDNN's
// sums overflow 16 bits in silence.
bool has_product(DType type);

// Whether tiles of that type whose rows touch (in_stride = k, out_stride = n) are multiplied
// faster.
bool prefers_touching_rows(DType type);

// A weight matrix in oneDNN's own layout for out[rows][n] = in[rows][k]·Wᵀ + bias.
class PackedMatrix {
 public:
  // in_stride and out_stride are the elements between rows of the tiles that will be multiplied.
  struct Shape {
    DType type = DType::kF32;  // of what is multiplied: kF32, kBF16, or kI8
    size_t k = 0, n = 0;
    size_t in_stride = 0, out_stride = 0;
    bool with_bias = false;  // not with kI8
    auto operator<=>(const Shape&) const = default;
  };
  // `weight` is [n][k] with `weight_stride` elements between rows: fp32, rounded here for kBF16;
  // for kI8 int8_t. `bias` is [n], or null as the shape says. Both are copied.
  PackedMatrix(const Shape& shape, const void* weight, size_t weight_stride, const float* bias);
  ~PackedMatrix();
  PackedMatrix(PackedMatrix&&) noexcept;
  PackedMatrix& operator=(PackedMatrix&&) noexcept;

  // rows is those of a tile. `in` holds fp32, bf16 (uint16_t) or uint8_t, `out` fp32 or, for kI8,
  // int32_t. Thread-safe; runs on this thread alone. A type that has_product() denies is multiplied
  // by plain loops: right, and as slow.
  void multiply(size_t rows, const void* in, void* out) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// oneDNN's rate in GFLOP/s on 2048×2304×768 with its own threading over `threads` threads: the
// yardstick of the roofline fraction. The best of `repeats` timings. A type that has_product()
// denies is computed in fp32, and has fp32's.
double measure_gemm_rate(DType type, int threads, int repeats);

// "2.6.3": of the library that multiplies.
std::string gemm_library_version();

}  // namespace m2
