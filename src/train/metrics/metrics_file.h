// train/metrics: what a training tells of itself: metrics.jsonl, TensorBoard's event files, the
// progress line. A part of train that knows no torch. Uses checkpoint, cli and core.
#pragma once

#include <cstdint>
#include <fstream>
#include <span>
#include <string>

namespace m2 {

// One number of one step. `name` is that of the file and of TensorBoard: "loss", "learning_rate",
// "evaluation/loss".
struct Metric {
  std::string name;
  double value = 0;
};

// metrics.jsonl: a line a report, {"step":12,"loss":6.25,"learning_rate":0.0008}. A number that is
// not finite is null.
class MetricsFile {
 public:
  // Goes on behind the line of step `kept_steps`: what a run wrote beyond it, before it was stopped
  // and resumed there, is cut off, and so is a line that is not whole. 0 begins anew. Throws
  // Error(kFailed) naming the path where that fails.
  MetricsFile(std::string path, int64_t kept_steps);

  // `step` counts optimiser steps that are done, from 1; it never falls. A step may have several
  // reports (its training's, its evaluation's), each name once. Throws Error(kFailed).
  void write(int64_t step, std::span<const Metric> metrics);
  // Brings what was written to the system: before a checkpoint is saved, so that a resumed run
  // finds the lines up to it.
  void flush();

 private:
  [[noreturn]] void fail() const;

  std::string path_;
  int64_t step_;
  std::ofstream file_;
};

// `value` as JSON has it: the shortest digits that read back the same, or null.
std::string metric_text(double value);

}  // namespace m2
