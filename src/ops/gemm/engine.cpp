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

memory::dim dim(size_t value) {
  return static_cast<memory::dim>(value);
}

memory::desc row_major(size_t rows, size_t columns, size_t stride, memory::data_type type) {
  return {{dim(rows), dim(columns)}, type, memory::dims{dim(stride), 1}};
}

struct ProductTypes {
  memory::data_type in, weights, out;
};

ProductTypes types_of(DType type) {
  switch (type) {
    case DType::kBF16:
      return {memory::data_type::bf16, memory::data_type::bf16, memory::data_type::f32};
    case DType::kI8:
      return {memory::data_type::u8, memory::data_type::s8, memory::data_type::s32};
    default:
      return {memory::data_type::f32, memory::data_type::f32, memory::data_type::f32};
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

bool prefers_touching_rows(DType type) {
  return type == DType::kF32 && current_isa() != Isa::kAmx && current_isa() != Isa::kAvx512;
}

ProductForm product_form(const PackedMatrix::Shape& shape) {
  constexpr size_t kLanes = 8;  // of a block of the convolution's weights
  const bool blocks = shape.k % kLanes == 0 && shape.n % kLanes == 0;
  const bool touching = shape.in_stride == shape.k && shape.out_stride == shape.n;
  return prefers_touching_rows(shape.type) && blocks && touching ? ProductForm::kConvolution
                                                                 : ProductForm::kMatmul;
}

memory::desc plain_weights(const PackedMatrix::Shape& shape, ProductForm form, size_t stride) {
  // bf16 comes as fp32.
  const auto type = shape.type == DType::kI8 ? memory::data_type::s8 : memory::data_type::f32;
  if (form == ProductForm::kConvolution) {
    return {{dim(shape.n), dim(shape.k), 1, 1}, type, memory::dims{dim(stride), 1, 1, 1}};
  }
  // [n][k] is the transpose of what oneDNN calls the weights of a product, k × n.
  return {{dim(shape.k), dim(shape.n)}, type, memory::dims{1, dim(stride)}};
}

template <class Description>
void ProductKernel::take(const Description& description) {
  in = description.src_desc();
  weights = description.weights_desc();
  out = description.dst_desc();
  scratchpad = description.scratchpad_desc();
}

void ProductKernel::plan_matmul(const PackedMatrix::Shape& shape, size_t rows,
                                const memory::desc* layout) {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  const ProductTypes types = types_of(shape.type);
  const memory::desc source = row_major(rows, shape.k, shape.in_stride, types.in);
  const memory::desc target = row_major(rows, shape.n, shape.out_stride, types.out);
  const memory::desc bias = row_major(1, shape.n, shape.n, memory::data_type::f32);
  const memory::desc any({dim(shape.k), dim(shape.n)}, types.weights, memory::format_tag::any);
  const memory::desc& packed = layout == nullptr ? any : *layout;
  const dnnl::matmul::primitive_desc description(
      shape.with_bias ? dnnl::matmul::desc(source, packed, bias, target)
                      : dnnl::matmul::desc(source, packed, target),
      attributes, cpu_engine());
  take(description);
  primitive = dnnl::matmul(description);
}

void ProductKernel::plan_convolution(const PackedMatrix::Shape& shape, size_t rows,
                                     const memory::desc* layout) {
  using Convolution = dnnl::convolution_forward;
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  const auto type = memory::data_type::f32;
  const auto image = [&](size_t channels) {
    return memory::desc({1, dim(channels), 1, dim(rows)}, type, memory::format_tag::nhwc);
  };
  const memory::desc any({dim(shape.n), dim(shape.k), 1, 1}, type, memory::format_tag::any);
  const memory::desc bias({dim(shape.n)}, type, memory::format_tag::a);
  const memory::desc& packed = layout == nullptr ? any : *layout;
  const auto kind = dnnl::prop_kind::forward_inference;
  const auto algorithm = dnnl::algorithm::convolution_direct;
  const memory::dims step = {1, 1}, none = {0, 0};
  const Convolution::primitive_desc description(
      shape.with_bias ? Convolution::desc(kind, algorithm, image(shape.k), packed, bias,
                                          image(shape.n), step, none, none)
                      : Convolution::desc(kind, algorithm, image(shape.k), packed, image(shape.n),
                                          step, none, none),
      attributes, cpu_engine());
  take(description);
  primitive = Convolution(description);
}

ProductKernel::ProductKernel(const PackedMatrix::Shape& shape, ProductForm form, size_t rows,
                             const memory::desc* layout) {
  static std::atomic<size_t> kernels{0};
  if (form == ProductForm::kConvolution) {
    plan_convolution(shape, rows, layout);
  } else {
    plan_matmul(shape, rows, layout);
  }
  id = kernels++;
}

ThreadContext::ThreadContext() : stream_(cpu_engine()) {
  omp_set_num_threads(1);
}

ThreadContext& ThreadContext::mine() {
  thread_local ThreadContext context;
  return context;
}

ThreadContext::Arguments& ThreadContext::arguments_of(const ProductKernel& kernel) {
  if (arguments_.size() <= kernel.id) arguments_.resize(kernel.id + 1);
  auto& arguments = arguments_[kernel.id];
  if (!arguments) {
    const auto placed_later = [](const memory::desc& layout) {
      return memory(layout, cpu_engine(), DNNL_MEMORY_NONE);
    };
    arguments = std::make_unique<Arguments>(Arguments{
        placed_later(kernel.in), placed_later(kernel.out), placed_later(kernel.scratchpad)});
  }
  return *arguments;
}

void ThreadContext::execute(const ProductKernel& kernel, const memory& weights, const memory* bias,
                            const void* in, void* out) {
  const size_t scratch_bytes = kernel.scratchpad.get_size();
  if (scratchpad_.size() < scratch_bytes) scratchpad_.resize(scratch_bytes);
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
