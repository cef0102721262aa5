#include "train/optimizers/gradient_norm.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "torch_ops/parallel.h"

namespace m2::train {
namespace {

constexpr int64_t kPiece = 1 << 16;  // elements that one sum is over
constexpr int64_t kLanes = 8;        // sums of a piece side by side

template <class T>
double sum_of_squares(const T* values, int64_t count) {
  double lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      const double value = static_cast<double>(values[i + lane]);
      lanes[lane] += value * value;
    }
  }
  for (; i < count; ++i)
    lanes[0] += static_cast<double>(values[i]) * static_cast<double>(values[i]);
  double sum = 0;
  for (const double lane : lanes) sum += lane;
  return sum;
}

template <class T>
double sum_of_squares(const at::Tensor& gradient) {
  const T* values = gradient.const_data_ptr<T>();
  const int64_t count = gradient.numel();
  std::vector<double> sums(static_cast<size_t>((count + kPiece - 1) / kPiece));
  at::parallel_for(0, static_cast<int64_t>(sums.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t piece = begin; piece < end; ++piece) {
      const int64_t first = piece * kPiece;
      sums[static_cast<size_t>(piece)] =
          sum_of_squares(values + first, std::min(kPiece, count - first));
    }
  });
  double total = 0;
  for (const double sum : sums) total += sum;
  return total;
}

}  // namespace

double gradient_norm(const std::vector<ParameterTensor>& parameters) {
  double total = 0;
  for (const ParameterTensor& parameter : parameters) {
    if (!parameter.values.grad().defined()) continue;
    const at::Tensor gradient = parameter.values.grad().contiguous();
    if (gradient.scalar_type() == at::kDouble) {
      total += sum_of_squares<double>(gradient);
    } else {
      M2_CHECK(gradient.scalar_type() == at::kFloat);
      total += sum_of_squares<float>(gradient);
    }
  }
  return std::sqrt(total);
}

double clipping_factor(double norm, double max_norm) {
  return std::min(1.0, max_norm / (norm + 1e-6));
}

}  // namespace m2::train
