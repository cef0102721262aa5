#include "ops/gemm/matmul.h"

#include <dnnl.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <mutex>
#include <unordered_map>

#include "core/error.h"
#include "core/text.h"
#include "kernels/isa.h"

// oneDNN splits one call over as many OpenMP threads as the calling thread asks for.
extern "C" void omp_set_num_threads(int threads);

namespace m2 {
namespace {

using dnnl::memory;

void cap_isa() {
  switch (current_isa()) {
    case Isa::kAvx512:
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

const dnnl::engine& cpu_engine() {
  static const dnnl::engine engine = [] {
    cap_isa();
    return dnnl::engine(dnnl::engine::kind::cpu, 0);
  }();
  return engine;
}

// What a thread needs to call oneDNN: a stream, a scratchpad of ours, one OpenMP thread.
struct ThreadContext {
  dnnl::stream stream{cpu_engine()};
  AlignedBuffer<uint8_t> scratchpad;
  ThreadContext() { omp_set_num_threads(1); }
};

ThreadContext& thread_context() {
  thread_local ThreadContext context;
  return context;
}

memory::desc row_major(size_t rows, size_t columns, size_t stride) {
  const auto dim = [](size_t value) { return static_cast<memory::dim>(value); };
  return {{dim(rows), dim(columns)}, memory::data_type::f32, memory::dims{dim(stride), 1}};
}

dnnl::matmul::primitive_desc describe(const PackedMatrix::Shape& shape, size_t rows,
                                      const memory::desc& weights) {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  const memory::desc in = row_major(rows, shape.k, shape.in_stride);
  const memory::desc out = row_major(rows, shape.n, shape.out_stride);
  const memory::desc bias = row_major(1, shape.n, shape.n);
  const dnnl::matmul::desc operation = shape.with_bias ? dnnl::matmul::desc(in, weights, bias, out)
                                                       : dnnl::matmul::desc(in, weights, out);
  return {operation, attributes, cpu_engine()};
}

}  // namespace

struct PackedMatrix::Kernel {
  dnnl::matmul::primitive_desc description;
  dnnl::matmul primitive;
  size_t scratch_bytes;

  Kernel(const Shape& shape, size_t rows, const memory::desc& weights)
      : description(describe(shape, rows, weights)),
        primitive(description),
        scratch_bytes(description.scratchpad_desc().get_size()) {}
};

struct PackedMatrix::State {
  Shape shape;
  memory::desc layout;
  AlignedBuffer<uint8_t> weights;
  // One for each number of rows, planned when it is first wanted.
  static constexpr size_t kKernels = kTileRows / kTileStep;
  std::array<std::unique_ptr<Kernel>, kKernels> kernels;
  std::array<std::once_flag, kKernels> planned;

  explicit State(const Shape& s) : shape(s) {
    const auto dim = [](size_t value) { return static_cast<memory::dim>(value); };
    const memory::desc any({dim(s.k), dim(s.n)}, memory::data_type::f32, memory::format_tag::any);
    layout = describe(s, kTileRows, any).weights_desc();
    weights.resize(layout.get_size());
  }

  const Kernel& kernel(size_t rows) {
    const size_t index = rows / kTileStep - 1;
    std::call_once(planned[index],
                   [&] { kernels[index] = std::make_unique<Kernel>(shape, rows, layout); });
    return *kernels[index];
  }
};

PackedMatrix::PackedMatrix(const Shape& shape, const float* weight, size_t weight_stride)
    : state_(std::make_unique<State>(shape)) {
  ThreadContext& context = thread_context();
  // [n][k] with its own stride is the transpose of what oneDNN calls the weights, k × n.
  const auto dim = [](size_t value) { return static_cast<memory::dim>(value); };
  const memory::desc plain({dim(shape.k), dim(shape.n)}, memory::data_type::f32,
                           memory::dims{1, dim(weight_stride)});
  memory source(plain, cpu_engine(), const_cast<float*>(weight));
  memory target(state_->layout, cpu_engine(), state_->weights.data());
  dnnl::reorder(source, target).execute(context.stream, source, target);
  context.stream.wait();
}

PackedMatrix::~PackedMatrix() = default;
PackedMatrix::PackedMatrix(PackedMatrix&&) noexcept = default;
PackedMatrix& PackedMatrix::operator=(PackedMatrix&&) noexcept = default;

void PackedMatrix::multiply(size_t rows, const float* in, const float* bias, float* out) const {
  M2_CHECK(rows > 0 && rows <= kTileRows && rows % kTileStep == 0);
  M2_CHECK((bias != nullptr) == state_->shape.with_bias);
  ThreadContext& context = thread_context();
  const Kernel& kernel = state_->kernel(rows);
  if (context.scratchpad.size() < kernel.scratch_bytes) {
    context.scratchpad.resize(kernel.scratch_bytes);
  }
  const auto view = [](const memory::desc& layout, const void* data) {
    return memory(layout, cpu_engine(), const_cast<void*>(data));
  };
  std::unordered_map<int, memory> arguments = {
      {DNNL_ARG_SRC, view(kernel.description.src_desc(), in)},
      {DNNL_ARG_WEIGHTS, view(state_->layout, state_->weights.data())},
      {DNNL_ARG_DST, view(kernel.description.dst_desc(), out)},
      {DNNL_ARG_SCRATCHPAD, view(kernel.description.scratchpad_desc(), context.scratchpad.data())}};
  if (bias != nullptr) {
    arguments.emplace(DNNL_ARG_BIAS, view(kernel.description.bias_desc(), bias));
  }
  kernel.primitive.execute(context.stream, arguments);
}

double measure_gemm_rate(int threads, int repeats) {
  constexpr size_t kRows = 2048, kInner = 768, kColumns = 2304;
  constexpr double kWork = 2.0 * kRows * kInner * kColumns;
  ThreadContext& context = thread_context();
  omp_set_num_threads(threads);  // before the primitive is made: it is planned for that many
  const PackedMatrix::Shape shape = {kInner, kColumns, kInner, kColumns, false};
  const memory::desc any({kInner, kColumns}, memory::data_type::f32, memory::format_tag::any);
  const auto description = describe(shape, kRows, any);
  AlignedBuffer<float> in(kRows * kInner), out(kRows * kColumns);
  AlignedBuffer<uint8_t> weights(description.weights_desc().get_size());
  AlignedBuffer<uint8_t> scratch(description.scratchpad_desc().get_size());
  std::fill(in.data(), in.data() + in.size(), 0.5f);
  std::fill(out.data(), out.data() + out.size(), 0.0f);
  std::fill(weights.data(), weights.data() + weights.size(), uint8_t{0});
  const std::unordered_map<int, memory> arguments = {
      {DNNL_ARG_SRC, memory(description.src_desc(), cpu_engine(), in.data())},
      {DNNL_ARG_WEIGHTS, memory(description.weights_desc(), cpu_engine(), weights.data())},
      {DNNL_ARG_DST, memory(description.dst_desc(), cpu_engine(), out.data())},
      {DNNL_ARG_SCRATCHPAD, memory(description.scratchpad_desc(), cpu_engine(), scratch.data())}};
  const dnnl::matmul primitive(description);
  double best = 0;
  for (int i = 0; i < repeats + 1; ++i) {  // the first warms up
    const auto start = std::chrono::steady_clock::now();
    primitive.execute(context.stream, arguments);
    context.stream.wait();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    if (i > 0) best = std::max(best, kWork / seconds.count() / 1e9);
  }
  omp_set_num_threads(1);
  return best;
}

std::string gemm_library_version() {
  const dnnl_version_t& version = *dnnl_version();
  return concat(version.major, ".", version.minor, ".", version.patch);
}

}  // namespace m2
