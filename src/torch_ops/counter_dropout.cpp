#include "torch_ops/counter_dropout.h"

#include <ATen/ATen.h>
#include <torch/library.h>

#include <utility>

#include "kernels/counter_mask.h"
#include "torch_ops/kernel_call.h"
#include "torch_ops/parallel.h"

namespace m2::torch_ops {
namespace {

constexpr int64_t kRowsOfATask = 64;

// x's mask, in fp32 where x is.
at::Tensor mask_kernel(const at::Tensor& x, double probability, int64_t key, int64_t first_row) {
  const DropoutCounter counter = {probability, key, first_row};
  const int64_t width = x.size(-1), rows = x.numel() / width;
  const at::Tensor mask = at::empty(x.sizes(), at::kFloat);
  at::parallel_for(0, rows, kRowsOfATask, [&](int64_t begin, int64_t end) {
    dropout_mask(counter, begin, end - begin, width, mask.data_ptr<float>() + begin * width);
  });
  return mask.to(x.device());
}

// NOLINTBEGIN(performance-unnecessary-value-param): the registry passes symbols by value
at::Tensor mask_shape(const at::Tensor& x, double /*probability*/, c10::SymInt /*key*/,
                      c10::SymInt /*first_row*/) {
  return at::empty_symint(x.sym_sizes(), x.options().dtype(at::kFloat));
}
// NOLINTEND(performance-unnecessary-value-param)

}  // namespace

void dropout_mask(const DropoutCounter& counter, int64_t begin, int64_t rows, int64_t width,
                  float* out) {
  CounterMask request;
  request.key = static_cast<uint64_t>(counter.key.expect_int());
  request.first_row = static_cast<uint64_t>(counter.first_row.expect_int() + begin);
  request.rows = static_cast<size_t>(rows);
  request.width = static_cast<size_t>(width);
  request.probability = counter.probability;
  request.out = out;
  counter_mask(request);
}

at::Tensor counter_dropout(const at::Tensor& x, const DropoutCounter& counter) {
  TORCH_CHECK(counter.probability >= 0 && counter.probability < 1,
              "counter_dropout: the probability is in [0, 1)");
  if (counter.probability == 0) return x;
  if (x.sym_numel() == 0) return x;
  const at::Tensor mask = call_kernel<mask_shape>("m2::_dropout_mask", x, counter.probability,
                                                  counter.key, counter.first_row);
  return (x * mask).to(x.scalar_type());  // bfloat16 has no 1/0.9
}

TORCH_LIBRARY_FRAGMENT(m2, library) {
  library.def(
      "counter_dropout(Tensor x, float probability, SymInt key, SymInt first_row) -> Tensor",
      [](const at::Tensor& x, double probability, c10::SymInt key, c10::SymInt first_row) {
        return counter_dropout(x, {probability, std::move(key), std::move(first_row)});
      });
  library.def("_dropout_mask(Tensor x, float probability, SymInt key, SymInt first_row) -> Tensor");
}

TORCH_LIBRARY_IMPL(m2, CompositeExplicitAutograd, library) {
  library.impl("_dropout_mask", mask_kernel);
}

TORCH_LIBRARY_IMPL(m2, Meta, library) {
  library.impl("_dropout_mask", mask_shape);
}

}  // namespace m2::torch_ops
