#include "plot/line_chart.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <string_view>

#include "core/error.h"
#include "core/text.h"

namespace m2 {
namespace {

// In pixels.
constexpr double kPlotWidth = 640, kPlotHeight = 360;
constexpr double kLeft = 84, kTop = 64, kBelow = 60, kRight = 24;
constexpr double kLegendMark = 30, kLegendLine = 20, kLetter = 7.2;  // of the legend's font
constexpr double kMark = 4;

// Colours told apart by colour-blind readers too, dark enough for white and light enough for black.
struct Colour {
  const char* light;
  const char* dark;
};
constexpr std::array<Colour, 8> kColours = {{{"#0062a8", "#58b2f5"},
                                             {"#c24e00", "#ff9d4d"},
                                             {"#00775a", "#3fcfa4"},
                                             {"#a3317f", "#f08cc9"},
                                             {"#6a5a00", "#d9c64a"},
                                             {"#5a3fb5", "#b3a1ff"},
                                             {"#a11f2b", "#ff8a8a"},
                                             {"#4a5560", "#b4c0cb"}}};
// After the colours are used up, lines are dashed.
constexpr std::array<const char*, 3> kDashes = {"none", "7 4", "2 3"};

// With two digits behind the point, as much as a screen shows.
std::string pixels(double value) {
  std::array<char, 64> text{};
  const auto [end, problem] =
      std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed, 2);
  M2_CHECK(problem == std::errc());
  return std::string(text.data(), end);
}

bool is_xml_character(char32_t point) {
  return point >= 0x20 ? point != 0xFFFE && point != 0xFFFF : point == '\t' || point == '\n';
}

// Fit for text and for attributes.
std::string escaped(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    char32_t point = 0;
    const int size = decode_utf8(text, point);
    const size_t taken = size > 0 ? static_cast<size_t>(size) : 1;
    if (size == 0 || !is_xml_character(point)) {
      out += "\uFFFD";
    } else if (point == '&') {
      out += "&amp;";
    } else if (point == '<') {
      out += "&lt;";
    } else if (point == '>') {
      out += "&gt;";
    } else if (point == '"') {
      out += "&quot;";
    } else {
      out += text.substr(0, taken);
    }
    text.remove_prefix(taken);
  }
  return out;
}

size_t characters(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string style() {
  std::string light, dark;
  for (size_t i = 0; i < kColours.size(); ++i) {
    light += concat(".c", i, "{stroke:", kColours[i].light, ";fill:", kColours[i].light, "}");
    dark += concat(".c", i, "{stroke:", kColours[i].dark, ";fill:", kColours[i].dark, "}");
  }
  return concat(
      "<style>text{font-family:sans-serif;font-size:13px;fill:#222}.title{font-size:17px}",
      ".paper{fill:#fff}.frame{stroke:#888;fill:none}.grid{stroke:#ddd}", light,
      "@media(prefers-color-scheme:dark){",
      "text{fill:#ddd}.paper{fill:#16181c}.grid{stroke:#3a3d42}", dark,
      // Behind the colours: of rules of one weight the last counts, and a curve is not filled.
      "}.line{fill:none;stroke-width:2}</style>\n");
}

std::string colour_of(size_t series) {
  return concat("c", series % kColours.size());
}

std::string dash_of(size_t series) {
  return concat("stroke-dasharray=\"", kDashes[series / kColours.size() % kDashes.size()], "\"");
}

// A point of a series: circles, squares, triangles and diamonds in turn.
std::string mark(size_t series, double x, double y) {
  constexpr size_t kShapes = 4;
  const auto at = [&](double dx, double dy) { return pixels(x + dx) + "," + pixels(y + dy); };
  switch (series % kShapes) {
    case 0:
      return concat("<circle cx=\"", pixels(x), "\" cy=\"", pixels(y), "\" r=\"", kMark, "\"/>");
    case 1:
      return concat("<rect x=\"", pixels(x - kMark), "\" y=\"", pixels(y - kMark), "\" width=\"",
                    2 * kMark, "\" height=\"", 2 * kMark, "\"/>");
    case 2:
      return concat("<polygon points=\"", at(0, -kMark - 1), " ", at(kMark + 1, kMark), " ",
                    at(-kMark - 1, kMark), "\"/>");
    default:
      return concat("<polygon points=\"", at(0, -kMark - 2), " ", at(kMark + 2, 0), " ",
                    at(0, kMark + 2), " ", at(-kMark - 2, 0), "\"/>");
  }
}

std::string text_at(double x, double y, std::string_view attributes, std::string_view text) {
  return concat("<text x=\"", pixels(x), "\" y=\"", pixels(y), "\"", attributes, ">", escaped(text),
                "</text>\n");
}

std::string line_at(double x1, double y1, double x2, double y2, std::string_view attributes) {
  return concat("<line x1=\"", pixels(x1), "\" y1=\"", pixels(y1), "\" x2=\"", pixels(x2),
                "\" y2=\"", pixels(y2), "\" ", attributes, "/>\n");
}

class Drawing {
 public:
  explicit Drawing(const LineChart& chart)
      : chart_(chart),
        x_(chart.x, values_of(chart, &PlotPoint::x)),
        y_(chart.y, values_of(chart, &PlotPoint::y)) {}

  // The chart's elements, from its upper left corner on.
  std::string elements() const { return heading() + axes() + lines() + legend(); }

  double width() const {
    size_t longest = 0;
    for (const PlotSeries& series : chart_.series) {
      longest = std::max(longest, characters(series.name));
    }
    const double legend = kPlotWidth + kLegendMark + kLetter * static_cast<double>(longest);
    const double heading = kLetter * static_cast<double>(characters(chart_.subtitle));
    return kLeft + std::max(legend, heading) + kRight;
  }

  double height() const {
    const double legend = kLegendLine * static_cast<double>(chart_.series.size());
    return kTop + std::max(kPlotHeight, legend) + kBelow;
  }

 private:
  // Of points that are shown: one that has no place on one axis has no say in the other.
  static std::vector<double> values_of(const LineChart& chart, double PlotPoint::* which) {
    std::vector<double> values;
    for (const PlotSeries& series : chart.series) {
      for (const PlotPoint& point : series.points) {
        if (is_shown(chart, point)) values.push_back(point.*which);
      }
    }
    return values;
  }

  static bool is_shown(const LineChart& chart, const PlotPoint& point) {
    return is_plottable(point.x, chart.x) && is_plottable(point.y, chart.y);
  }

  double left_of(double x) const { return kLeft + kPlotWidth * x_.position(x); }
  double top_of(double y) const { return kTop + kPlotHeight * (1 - y_.position(y)); }

  std::string heading() const {
    return text_at(kLeft, 28, " class=\"title\"", chart_.title) +
           text_at(kLeft, 48, "", chart_.subtitle);
  }

  std::string axes() const {
    const double bottom = kTop + kPlotHeight, right = kLeft + kPlotWidth;
    std::string out;
    for (const AxisTick& tick : x_.ticks()) {
      const double at = left_of(tick.value);
      out += line_at(at, kTop, at, bottom, "class=\"grid\"");
      out += text_at(at, bottom + 20, " text-anchor=\"middle\"", tick.text);
    }
    for (const AxisTick& tick : y_.ticks()) {
      const double at = top_of(tick.value);
      out += line_at(kLeft, at, right, at, "class=\"grid\"");
      out += text_at(kLeft - 8, at + 4, " text-anchor=\"end\"", tick.text);
    }
    out += concat("<rect class=\"frame\" x=\"", kLeft, "\" y=\"", kTop, "\" width=\"", kPlotWidth,
                  "\" height=\"", kPlotHeight, "\"/>\n");
    const double middle = kTop + kPlotHeight / 2;
    out += text_at(kLeft + kPlotWidth / 2, bottom + 44, " text-anchor=\"middle\"", chart_.x.label);
    out +=
        text_at(18, middle,
                concat(" text-anchor=\"middle\" transform=\"rotate(-90 18 ", pixels(middle), ")\""),
                chart_.y.label);
    return out;
  }

  std::string lines() const {
    std::string out;
    for (size_t i = 0; i < chart_.series.size(); ++i) out += line_of(chart_.series[i], i);
    if (values_of(chart_, &PlotPoint::x).empty()) {
      out += text_at(kLeft + kPlotWidth / 2, kTop + kPlotHeight / 2, " text-anchor=\"middle\"",
                     "no data");
    }
    return out;
  }

  // The points between those that are left out, each time.
  std::vector<std::span<const PlotPoint>> pieces_of(const PlotSeries& series) const {
    const auto shown = [this](const PlotPoint& point) { return is_shown(chart_, point); };
    const auto end = series.points.end();
    std::vector<std::span<const PlotPoint>> pieces;
    for (auto at = std::find_if(series.points.begin(), end, shown); at != end;) {
      const auto stop = std::find_if_not(at, end, shown);
      pieces.emplace_back(at, stop);
      at = std::find_if(stop, end, shown);
    }
    return pieces;
  }

  // A point's mark and tooltip.
  std::string marked(const PlotSeries& series, size_t index, const PlotPoint& point) const {
    return concat("<g class=\"", colour_of(index), "\"><title>", escaped(series.name), ": ",
                  tick_text(point.x, 0), ", ", tick_text(point.y, 0), "</title>",
                  mark(index, left_of(point.x), top_of(point.y)), "</g>\n");
  }

  std::string line_of(const PlotSeries& series, size_t index) const {
    std::string path, marks;
    for (const std::span<const PlotPoint> piece : pieces_of(series)) {
      const char* command = "M";
      for (const PlotPoint& point : piece) {
        path += concat(command, pixels(left_of(point.x)), " ", pixels(top_of(point.y)), " ");
        command = "L";
        // Of a point by itself the path alone shows nothing.
        if (series.marks || piece.size() == 1) marks += marked(series, index, point);
      }
    }
    if (path.empty()) return "";
    path.pop_back();
    return concat("<path class=\"", colour_of(index), " line\" ", dash_of(index), " d=\"", path,
                  "\"/>\n", marks);
  }

  std::string legend() const {
    const double left = kLeft + kPlotWidth + 12;
    std::string out;
    for (size_t i = 0; i < chart_.series.size(); ++i) {
      const double y = kTop + kLegendLine * (static_cast<double>(i) + 0.5);
      out +=
          line_at(left, y, left + 20, y, concat("class=\"", colour_of(i), " line\" ", dash_of(i)));
      if (chart_.series[i].marks) {
        out += concat("<g class=\"", colour_of(i), "\">", mark(i, left + 10, y), "</g>\n");
      }
      out += text_at(left + 26, y + 4, "", chart_.series[i].name);
    }
    return out;
  }

  const LineChart& chart_;
  AxisScale x_, y_;
};

// A whole document of that size around `elements`; `title` is what it is called.
std::string document(double width, double height, const std::string& title,
                     const std::string& elements) {
  const std::string size = concat("width=\"", pixels(width), "\" height=\"", pixels(height),
                                  "\" viewBox=\"0 0 ", pixels(width), " ", pixels(height), "\"");
  return concat("<svg xmlns=\"http://www.w3.org/2000/svg\" ", size, " role=\"img\">\n<title>",
                escaped(title), "</title>\n", style(),
                "<rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n", elements, "</svg>\n");
}

}  // namespace

std::string line_chart_svg(const LineChart& chart) {
  const Drawing drawing(chart);
  return document(drawing.width(), drawing.height(), chart.title, drawing.elements());
}

std::string stacked_charts_svg(std::span<const LineChart> charts) {
  double width = 0, height = 0;
  std::string elements;
  std::vector<std::string> titles;
  for (const LineChart& chart : charts) {
    const Drawing drawing(chart);
    elements += concat("<g transform=\"translate(0 ", pixels(height), ")\">\n", drawing.elements(),
                       "</g>\n");
    width = std::max(width, drawing.width());
    height += drawing.height();
    titles.push_back(chart.title);
  }
  return document(width, height, join(titles, ", "), elements);
}

}  // namespace m2
