// oneDNN's engine, and what a thread needs to call it.
#pragma once

#include <dnnl.hpp>

#include <memory>
#include <vector>

#include "core/aligned_buffer.h"
#include "ops/gemm/matmul.h"

namespace m2 {

// Held at the instruction set in use from its first call on.
const dnnl::engine& cpu_engine();

// How a shape is best computed: as a matrix product, or, in fp32 below AVX-512, as a convolution of
// one point, whose weights oneDNN keeps blocked where its product packs them again at each call.
enum class ProductForm { kMatmul, kConvolution };
ProductForm product_form(const PackedMatrix::Shape& shape);

// The weights as they come, [n][k] with `stride` elements between rows, in the form's own terms.
dnnl::memory::desc plain_weights(const PackedMatrix::Shape& shape, ProductForm form, size_t stride);

// A product for tiles of one number of rows.
struct ProductKernel {
  dnnl::memory::desc in, weights, out, scratchpad;
  dnnl::primitive primitive;
  size_t id = 0;  // counts kernels up from 0

  // Without a layout of the weights the best is chosen.
  ProductKernel(const PackedMatrix::Shape& shape, ProductForm form, size_t rows,
                const dnnl::memory::desc* layout = nullptr);

 private:
  void plan_matmul(const PackedMatrix::Shape& shape, size_t rows, const dnnl::memory::desc* layout);
  void plan_convolution(const PackedMatrix::Shape& shape, size_t rows,
                        const dnnl::memory::desc* layout);
  template <class Description>
  void take(const Description& description);
};

// A thread's stream, scratchpad and arguments; made with one OpenMP thread to a call.
class ThreadContext {
 public:
  static ThreadContext& mine();
  dnnl::stream& stream() { return stream_; }
  // `bias` may be null.
  void execute(const ProductKernel& kernel, const dnnl::memory& weights, const dnnl::memory* bias,
               const void* in, void* out);

 private:
  // Memory objects are dear to make: each kernel's are kept, and pointed elsewhere at each call.
  struct Arguments {
    dnnl::memory in, out, scratchpad;
  };
  ThreadContext();
  Arguments& arguments_of(const ProductKernel& kernel);

  dnnl::stream stream_;
  AlignedBuffer<uint8_t> scratchpad_;
  std::vector<std::unique_ptr<Arguments>> arguments_;  // by kernel
};

}  // namespace m2
