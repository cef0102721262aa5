// What a training wrote of itself: the numbers of its metrics.jsonl.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "plot/line_chart.h"

namespace m2 {

struct RunMetrics {
  std::string file;
  // By name of the metric, in the file's order; y is NaN where the file has null.
  std::map<std::string, std::vector<PlotPoint>> curves;
};

// The metrics of a run's folder, or of a file of that form. `x` is "step", or the metric that x is
// taken from: the line's own, else the last before it. A last line without its end, as a run that
// goes on may leave it for a moment, is passed over.
//
// Throws Error(kInput) naming file and line for a file that is missing, a line that is no object of
// numbers and null with a whole "step", or is longer than 1 MiB, and for a file without any line.
RunMetrics read_run_metrics(const std::string& run, const std::string& x);

// What to call each run: its folder's name, or the path where two would be called the same.
std::vector<std::string> run_labels(const std::vector<std::string>& runs);

// Each y the mean of it and up to window - 1 before it; what is NaN stays so and has no part in the
// others.
std::vector<PlotPoint> smoothed(const std::vector<PlotPoint>& points, int window);

// At most `most` of the points, evenly taken, the first and the last among them.
std::vector<PlotPoint> thinned(const std::vector<PlotPoint>& points, size_t most);

}  // namespace m2
