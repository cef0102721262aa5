// One tile's matrix product, done by oneDNN on the calling thread alone. The only code that knows
// oneDNN.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "core/aligned_buffer.h"

namespace m2 {

// Rows of a tile: kTileRows, or any smaller multiple of kTileStep. A GEMM is called on a whole
// tile. Fewer rows than 64 read the weights too often; more gain nothing.
inline constexpr size_t kTileStep = 16;
inline constexpr size_t kTileRows = 64;

// A weight matrix in oneDNN's own layout for out[rows][n] = in[rows][k]·Wᵀ + bias.
class PackedMatrix {
 public:
  // `weight` is [n][k] with `weight_stride` floats between rows; it is copied. in_stride and
  // out_stride are the floats between rows of the tiles that will be multiplied.
  struct Shape {
    size_t k = 0, n = 0;
    size_t in_stride = 0, out_stride = 0;
    bool with_bias = false;
  };
  PackedMatrix(const Shape& shape, const float* weight, size_t weight_stride);
  ~PackedMatrix();
  PackedMatrix(PackedMatrix&&) noexcept;
  PackedMatrix& operator=(PackedMatrix&&) noexcept;

  // rows is those of a tile; bias is [n], or null as the shape said. Thread-safe; runs on this
  // thread alone.
  void multiply(size_t rows, const float* in, const float* bias, float* out) const;

 private:
  struct Kernel;
  struct State;
  std::unique_ptr<State> state_;
};

// fp32 rate of oneDNN in GFLOP/s on 2048×2304×768 with its own threading over `threads` threads:
// the yardstick of the roofline fraction. The best of `repeats` timings.
double measure_gemm_rate(int threads, int repeats);

// "2.6.3": of the library that multiplies.
std::string gemm_library_version();

}  // namespace m2
