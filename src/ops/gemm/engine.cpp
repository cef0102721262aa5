#include "ops/gemm/engine.h"

#include <array>
#include <atomic>

#include "core/error.h"
#include "kernels/isa.h"

// oneDNN splits one call over as many OpenMP threads as the calling thread asks for.
extern "C" void omp_set_num_threads(int threads);

namespace m2 {
namespace {

using dnnl::memory;

void cap_isa() {
  switch (current_isa()) {
    case Isa::kAmx:
      return;
    case Isa::kAvx512:
      dnnl::set_max_cpu_isa(dnnl::cpu_isa::avx512_core_bf16);
      return;
    case Isa::kAvx2:
      dnnl::set_max_cpu_isa(dnnl::cpu_isa::avx2);
      return;
    case Isa::kSse4:
    case Isa::kScalar:  // the plainest that oneDNN has
      dnnl::set_max_cpu_isa(dnnl::cpu_isa::sse41);
      return;
  }
}

memory::desc row_major(size_t rows, size_t columns, size_t stride, memory::data_type type) {
  const auto dim = [](size_t value) { return static_cast<memory::dim>(value); };
  return {{dim(rows), dim(columns)}, type, memory::dims{dim(stride), 1}};
}

struct MatmulTypes {
  memory::data_type in, out;
};

MatmulTypes types_of(DType type) {
  switch (type) {
    case DType::kBF16:
      return {memory::data_type::bf16, memory::data_type::f32};
    case DType::kI8:
      return {memory::data_type::u8, memory::data_type::s32};
    default:
      return {memory::data_type::f32, memory::data_type::f32};
  }
}

}  // namespace

const dnnl::engine& cpu_engine() {
  static const dnnl::engine engine = [] {
    cap_isa();
    return dnnl::engine(dnnl::engine::kind::cpu, 0);
  }();
  return engine;
}

bool has_product(DType type) {
  if (type == DType::kF32) return true;
  cpu_engine();
  const auto has = [](dnnl::cpu_isa wanted) {
    const auto bits = [](dnnl::cpu_isa isa) { return static_cast<unsigned>(isa); };
    return (bits(dnnl::get_effective_cpu_isa()) & bits(wanted)) == bits(wanted);
  };
  return (type == DType::kBF16 && has(dnnl::cpu_isa::avx512_core_bf16)) ||
         (type == DType::kI8 && has(dnnl::cpu_isa::avx512_core_vnni));
}

dnnl::matmul::primitive_desc describe_matmul(const PackedMatrix::Shape& shape, size_t rows,
                                             const memory::desc& weights) {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  const MatmulTypes types = types_of(shape.type);
  const memory::desc in = row_major(rows, shape.k, shape.in_stride, types.in);
  const memory::desc out = row_major(rows, shape.n, shape.out_stride, types.out);
  const memory::desc bias = row_major(1, shape.n, shape.n, memory::data_type::f32);
  const dnnl::matmul::desc operation = shape.with_bias ? dnnl::matmul::desc(in, weights, bias, out)
                                                       : dnnl::matmul::desc(in, weights, out);
  return {operation, attributes, cpu_engine()};
}

MatmulKernel::MatmulKernel(const PackedMatrix::Shape& shape, size_t rows,
                           const memory::desc& weights)
    : description(describe_matmul(shape, rows, weights)),
      primitive(description),
      scratch_bytes(description.scratchpad_desc().get_size()) {
  static std::atomic<size_t> kernels{0};
  id = kernels++;
}

ThreadContext::ThreadContext() : stream_(cpu_engine()) {
  omp_set_num_threads(1);
}

ThreadContext& ThreadContext::mine() {
  thread_local ThreadContext context;
  return context;
}

ThreadContext::Arguments& ThreadContext::arguments_of(const MatmulKernel& kernel) {
  if (arguments_.size() <= kernel.id) arguments_.resize(kernel.id + 1);
  auto& arguments = arguments_[kernel.id];
  if (!arguments) {
    const auto placed_later = [](const memory::desc& layout) {
      return memory(layout, cpu_engine(), DNNL_MEMORY_NONE);
    };
    arguments = std::make_unique<Arguments>(Arguments{
        placed_later(kernel.description.src_desc()), placed_later(kernel.description.dst_desc()),
        placed_later(kernel.description.scratchpad_desc())});
  }
  return *arguments;
}

void ThreadContext::execute(const MatmulKernel& kernel, const memory& weights, const memory* bias,
                            const void* in, void* out) {
  if (scratchpad_.size() < kernel.scratch_bytes) scratchpad_.resize(kernel.scratch_bytes);
  Arguments& mine = arguments_of(kernel);
  mine.in.set_data_handle(const_cast<void*>(in));
  mine.out.set_data_handle(out);
  mine.scratchpad.set_data_handle(scratchpad_.data());
  std::array<dnnl_exec_arg_t, 5> arguments = {{{DNNL_ARG_SRC, mine.in.get()},
                                               {DNNL_ARG_WEIGHTS, weights.get()},
                                               {DNNL_ARG_DST, mine.out.get()},
                                               {DNNL_ARG_SCRATCHPAD, mine.scratchpad.get()},
                                               {DNNL_ARG_BIAS, nullptr}}};
  if (bias != nullptr) arguments[4].memory = bias->get();
  const dnnl_status_t status = dnnl_primitive_execute(kernel.primitive.get(), stream_.get(),
                                                      bias == nullptr ? 4 : 5, arguments.data());
  M2_CHECK(status == dnnl_success);
}

}  // namespace m2
