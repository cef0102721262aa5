#include "train/loop/loss_watch.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace m2::train {

void LossWatch::restore(std::vector<double> recent, std::optional<double> lowest) {
  recent_ = std::move(recent);
  lowest_ = lowest;
}

void LossWatch::add(double loss) {
  if (recent_.size() >= kSteps) recent_.erase(recent_.begin());
  recent_.push_back(loss);
  if (const auto now = mean()) lowest_ = std::min(*now, lowest_.value_or(*now));
}

std::optional<double> LossWatch::mean() const {
  if (recent_.size() < kSteps) return std::nullopt;
  return std::accumulate(recent_.begin(), recent_.end(), 0.0) / kSteps;
}

bool LossWatch::diverged() const {
  const auto now = mean();
  return margin_ > 0 && now && lowest_ && *now > *lowest_ + margin_;
}

}  // namespace m2::train
