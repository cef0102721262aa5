#include "ops/gemm/matmul.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <mutex>

#include "core/aligned_buffer.h"
#include "core/error.h"
#include "core/packed_pages.h"
#include "core/text.h"
#include "ops/gemm/engine.h"
#include "ops/gemm/plain_product.h"

extern "C" void omp_set_num_threads(int threads);

namespace m2 {
namespace {

using dnnl::memory;

memory::dim dim(size_t value) {
  return static_cast<memory::dim>(value);
}

// What all matrices of one shape share: the layout of the weights, and a kernel for each number of
// rows, planned when it is first wanted.
class ProductKernels {
 public:
  explicit ProductKernels(const PackedMatrix::Shape& shape)
      : shape_(shape),
        form_(product_form(shape)),
        layout_(ProductKernel(shape, form_, kTileRows).weights) {}

  ProductForm form() const { return form_; }

  const memory::desc& layout() const { return layout_; }
  const ProductKernel& of(size_t rows) {
    const size_t index = rows / kTileStep - 1;
    std::call_once(planned_[index], [&] {
      kernels_[index] = std::make_unique<ProductKernel>(shape_, form_, rows, &layout_);
    });
    return *kernels_[index];
  }

 private:
  static constexpr size_t kKernels = kTileRows / kTileStep;
  PackedMatrix::Shape shape_;
  ProductForm form_;
  memory::desc layout_;
  std::array<std::unique_ptr<ProductKernel>, kKernels> kernels_;
  std::array<std::once_flag, kKernels> planned_;
};

ProductKernels& kernels_of(const PackedMatrix::Shape& shape) {
  static std::mutex mutex;
  static std::map<PackedMatrix::Shape, std::unique_ptr<ProductKernels>> all;
  const std::lock_guard lock(mutex);
  auto& kernels = all[shape];
  if (!kernels) kernels = std::make_unique<ProductKernels>(shape);
  return *kernels;
}

}  // namespace

struct PackedMatrix::State {
  Shape shape;
  std::unique_ptr<PlainProduct> plain;  // where oneDNN has none of its own
  ProductKernels* kernels = nullptr;
  std::shared_ptr<uint8_t> weights;
  AlignedBuffer<float> bias;
  memory packed, bias_memory;

  State(const Shape& s, const void* weight, size_t weight_stride, const float* b) : shape(s) {
    M2_CHECK((b != nullptr) == s.with_bias && !(s.with_bias && s.type == DType::kI8));
    if (b != nullptr) {
      bias.resize(s.n);
      std::copy_n(b, s.n, bias.data());
    }
    if (has_product(s.type)) {
      pack(weight, weight_stride);
    } else {
      plain = std::make_unique<PlainProduct>(s, weight, weight_stride, bias.data());
    }
  }

  void pack(const void* weight, size_t weight_stride) {
    kernels = &kernels_of(shape);
    weights = allocate_packed(kernels->layout().get_size());
    packed = memory(kernels->layout(), cpu_engine(), weights.get());
    if (shape.with_bias) {
      const memory::dims row = kernels->form() == ProductForm::kConvolution
                                   ? memory::dims{dim(shape.n)}
                                   : memory::dims{1, dim(shape.n)};
      const auto order = row.size() == 1 ? memory::format_tag::a : memory::format_tag::ab;
      bias_memory = memory({row, memory::data_type::f32, order}, cpu_engine(), bias.data());
    }
    memory source(plain_weights(shape, kernels->form(), weight_stride), cpu_engine(),
                  const_cast<void*>(weight));
    dnnl::stream& stream = ThreadContext::mine().stream();
    dnnl::reorder(source, packed).execute(stream, source, packed);
    stream.wait();
  }
};

PackedMatrix::PackedMatrix(const Shape& shape, const void* weight, size_t weight_stride,
                           const float* bias)
    : state_(std::make_unique<State>(shape, weight, weight_stride, bias)) {}
PackedMatrix::~PackedMatrix() = default;
PackedMatrix::PackedMatrix(PackedMatrix&&) noexcept = default;
PackedMatrix& PackedMatrix::operator=(PackedMatrix&&) noexcept = default;

void PackedMatrix::multiply(size_t rows, const void* in, void* out) const {
  M2_CHECK(rows > 0 && rows <= kTileRows && rows % kTileStep == 0);
  const State& state = *state_;
  if (state.plain) return state.plain->multiply(rows, in, out);
  ThreadContext::mine().execute(state.kernels->of(rows), state.packed,
                                state.shape.with_bias ? &state.bias_memory : nullptr, in, out);
}

double measure_gemm_rate(DType type, int threads, int repeats) {
  constexpr size_t kRows = 2048, kInner = 768, kColumns = 2304;
  constexpr double kWork = 2.0 * kRows * kInner * kColumns;
  ThreadContext& context = ThreadContext::mine();
  omp_set_num_threads(threads);  // before the primitive is made: it is planned for that many
  const PackedMatrix::Shape shape = {
      has_product(type) ? type : DType::kF32, kInner, kColumns, kInner, kColumns, false};
  const ProductKernel kernel(shape, ProductForm::kMatmul, kRows);
  AlignedBuffer<float> in(kRows * kInner), out(kRows * kColumns);
  AlignedBuffer<uint8_t> weights(kernel.weights.get_size());
  std::fill(in.data(), in.data() + in.size(), 0.0f);
  std::fill(out.data(), out.data() + out.size(), 0.0f);
  std::fill(weights.data(), weights.data() + weights.size(), uint8_t{0});
  const memory packed(kernel.weights, cpu_engine(), weights.data());
  double best = 0;
  for (int i = 0; i < repeats + 1; ++i) {  // the first warms up
    const auto start = std::chrono::steady_clock::now();
    context.execute(kernel, packed, nullptr, in.data(), out.data());
    context.stream().wait();
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
