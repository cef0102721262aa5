// Notices a training that leads nowhere.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace m2::train {

// The mean loss of the last kSteps steps against the lowest that it has been. All that it knows is
// in a checkpoint.
class LossWatch {
 public:
  static constexpr size_t kSteps = 20;

  // `margin` in nats above the lowest mean, 0: never.
  explicit LossWatch(double margin) : margin_(margin) {}

  void restore(std::vector<double> recent, std::optional<double> lowest);
  void add(double loss);
  bool diverged() const;

  // Of the last kSteps steps; none before there were as many.
  std::optional<double> mean() const;
  const std::vector<double>& recent() const { return recent_; }
  std::optional<double> lowest() const { return lowest_; }

 private:
  double margin_;
  std::vector<double> recent_;
  std::optional<double> lowest_;
};

}  // namespace m2::train
