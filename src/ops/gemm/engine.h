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

// A product for tiles of one number of rows.
struct MatmulKernel {
  dnnl::matmul::primitive_desc description;
  dnnl::matmul primitive;
  size_t scratch_bytes;
  size_t id;  // counts kernels up from 0

  MatmulKernel(const PackedMatrix::Shape& shape, size_t rows, const dnnl::memory::desc& weights);
};

dnnl::matmul::primitive_desc describe_matmul(const PackedMatrix::Shape& shape, size_t rows,
                                             const dnnl::memory::desc& weights);

// A thread's stream, scratchpad and arguments; made with one OpenMP thread to a call.
class ThreadContext {
 public:
  static ThreadContext& mine();
  dnnl::stream& stream() { return stream_; }
  // `bias` may be null.
  void execute(const MatmulKernel& kernel, const dnnl::memory& weights, const dnnl::memory* bias,
               const void* in, void* out);

 private:
  // Memory objects are dear to make: each kernel's are kept, and pointed elsewhere at each call.
  struct Arguments {
    dnnl::memory in, out, scratchpad;
  };
  ThreadContext();
  Arguments& arguments_of(const MatmulKernel& kernel);

  dnnl::stream stream_;
  AlignedBuffer<uint8_t> scratchpad_;
  std::vector<std::unique_ptr<Arguments>> arguments_;  // by kernel
};

}  // namespace m2
