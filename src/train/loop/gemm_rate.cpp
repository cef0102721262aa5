#include "train/loop/gemm_rate.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <chrono>

namespace m2::train {

double measure_gemm_rate(int repeats) {
  constexpr int64_t kRows = 2048, kInner = 768, kOutputs = 2304;
  const at::NoGradGuard no_gradients;
  const at::Tensor a = at::ones({kRows, kInner}), b = at::ones({kInner, kOutputs});
  at::Tensor product = at::mm(a, b);
  double best_seconds = 1e9;
  for (int i = 0; i < repeats; ++i) {
    const auto start = std::chrono::steady_clock::now();
    at::mm_out(product, a, b);
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
    best_seconds = std::min(best_seconds, spent.count());
  }
  return 2.0 * kRows * kInner * kOutputs / best_seconds;
}

}  // namespace m2::train
