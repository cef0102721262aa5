// What the progress line says: rates over the last steps and the time left.
#pragma once

#include <cstdint>
#include <deque>
#include <limits>
#include <string>

namespace m2 {

// One optimiser step, as the loop saw it.
struct StepReport {
  int64_t step = 0;  // steps that are done, this one included
  // Mean over the labelled tokens of the batch; NaN where it has none.
  double loss = std::numeric_limits<double>::quiet_NaN();
  int64_t tokens = 0;       // of the batch, pads not counted
  double seconds = 0;       // wall clock from the end of the step before
  double wait_seconds = 0;  // of these, spent waiting for data
  double flops = 0;         // three times the forward pass' dense work
};

class Pace {
 public:
  // `window`: steps that rates are means over, at least 1; total_steps: of the whole training.
  Pace(int64_t total_steps, int64_t window);

  void add(const StepReport& report);

  // All over the window; 0 before the first step.
  double loss() const;  // mean over the steps that have one
  double tokens_per_second() const;
  double flops_per_second() const;
  double wait_share() const;    // 0 to 1
  double seconds_left() const;  // until total_steps
  int64_t step() const;

  // "step 120/70,000  loss 6.412  5,120 tokens/s  waits 1 %  3:05 left".
  std::string line() const;

 private:
  template <class Number>
  double sum(Number StepReport::* member) const;

  int64_t total_steps_;
  size_t window_;
  std::deque<StepReport> reports_;
};

// Pace::line on stderr in place of the line before, where that is a terminal; silent elsewhere.
class ProgressLine {
 public:
  ProgressLine();
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void show(const std::string& line);
  // Takes the line away, so that other lines can be written.
  void clear();

 private:
  bool terminal_, visible_ = false;
};

}  // namespace m2
