#include "torch_ops/counter_dropout.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/library.h>

#include <algorithm>

#include "kernels/counter_mask.h"

namespace m2::torch_ops {
namespace {

constexpr int64_t kRowsOfATask = 64;

}  // namespace

at::Tensor counter_dropout(const at::Tensor& x, double probability, int64_t key,
                           int64_t first_row) {
  TORCH_CHECK(probability >= 0 && probability < 1, "counter_dropout: the probability is in [0, 1)");
  if (probability == 0) return x;
  TORCH_CHECK(x.is_cpu(), "counter_dropout: x is on a CPU");
  const int64_t width = x.size(-1), rows = x.numel() / width;
  const at::Tensor mask = at::empty(x.sizes(), x.options().dtype(at::kFloat));
  at::parallel_for(0, rows, kRowsOfATask, [&](int64_t begin, int64_t end) {
    CounterMask request;
    request.key = static_cast<uint64_t>(key);
    request.first_row = static_cast<uint64_t>(first_row + begin);
    request.rows = static_cast<size_t>(end - begin);
    request.width = static_cast<size_t>(width);
    request.probability = probability;
    request.out = mask.data_ptr<float>() + begin * width;
    counter_mask(request);
  });
  return x * mask.to(x.scalar_type());
}

TORCH_LIBRARY_FRAGMENT(m2, library) {
  library.def("counter_dropout(Tensor x, float probability, int key, int first_row) -> Tensor",
              counter_dropout);
}

}  // namespace m2::torch_ops
