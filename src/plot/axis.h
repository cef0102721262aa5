// One axis of a chart: its range, its ticks and where a value lies on it.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace m2 {

struct PlotAxis {
  std::string label;  // with its unit
  bool logarithmic = false;
  std::vector<double> ticks{};  // where labels are to stand; empty: at round numbers
};

struct AxisTick {
  double value = 0;
  std::string text;
};

// Whether a value can be shown on the axis: finite, and above zero on a logarithmic one.
bool is_plottable(double value, const PlotAxis& axis);

class AxisScale {
 public:
  // Covers the plottable ones of `values` and a little more; 0 to 1 (1 to 10) where there is none.
  AxisScale(const PlotAxis& axis, std::span<const double> values);

  // Where `value` lies: 0 at the axis's beginning, 1 at its end, NaN for what is not plottable.
  double position(double value) const;
  // In rising order, within the axis, each with a text of its own; at most 12 where the axis names
  // none.
  std::vector<AxisTick> ticks() const;

 private:
  double scaled(double value) const;
  bool reaches(double value) const;
  std::vector<double> tick_values() const;
  std::vector<double> decade_ticks() const;

  PlotAxis axis_;
  double low_ = 0, high_ = 1;  // of the scaled values
};

// `value` as a label: "32,768", "0.25", "12 M", "1e+18"; so many digits that numbers `step` apart
// differ.
std::string tick_text(double value, double step);

}  // namespace m2
