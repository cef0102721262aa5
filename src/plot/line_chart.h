// plot: charts as SVG. Uses core.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "plot/axis.h"

namespace m2 {

struct PlotPoint {
  double x = 0, y = 0;
};

struct PlotSeries {
  std::string name;
  std::vector<PlotPoint> points;  // joined in this order
  // A mark and a tooltip at each point, for few of them; without it at those that no line reaches.
  bool marks = true;
};

struct LineChart {
  std::string title;
  std::string subtitle;  // what was measured, where and how; empty: none
  PlotAxis x, y;
  std::vector<PlotSeries> series;
};

// A whole SVG 1.1 document, light or dark as the reader's screen is. Every series has a colour, a
// mark and a line of the legend; a point that is not plottable on both axes is left out and the
// line broken there. Characters that XML cannot hold become U+FFFD.
std::string line_chart_svg(const LineChart& chart);

// Several charts, one below the other, in one document. A series has the same colour in each chart
// that has it at the same place.
std::string stacked_charts_svg(std::span<const LineChart> charts);

}  // namespace m2
