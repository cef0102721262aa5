#include "plot/line_chart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <stack>

namespace m2 {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

size_t count(const std::string& text, const std::string& part) {
  size_t found = 0;
  for (size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++found;
  return found;
}

// A plain reader of what a chart may hold: elements that nest, attributes in double quotes, text
// without bare marks. Says where it breaks, or nothing.
std::string xml_fault(const std::string& text) {
  std::stack<std::string> open;
  size_t at = 0;
  while (at < text.size()) {
    if (text[at] == '&') {
      const size_t end = text.find(';', at);
      if (end == text.npos || end - at > 6) return "bare & at " + text.substr(at, 20);
      at = end + 1;
    } else if (text[at] != '<') {
      if (text[at] == '>') return "bare > at " + text.substr(at, 20);
      ++at;
    } else {
      const size_t end = text.find('>', at);
      if (end == text.npos) return "open tag";
      const std::string tag = text.substr(at + 1, end - at - 1);
      if (tag.find('<') != tag.npos) return "< in " + tag;
      if (count(tag, "\"") % 2 != 0) return "quotes of " + tag;
      const std::string name = tag.substr(0, tag.find_first_of(" /", 1));
      if (tag.front() == '/') {
        if (open.empty() || "/" + open.top() != tag) return "end of " + tag;
        open.pop();
      } else if (tag.back() != '/') {
        open.push(name);
      }
      at = end + 1;
    }
  }
  return open.empty() ? "" : open.top() + " stays open";
}

LineChart small_chart() {
  return {"Speed",
          "two threads",
          {"length, tokens", true},
          {"tokens/s", true},
          {{"m2 fp32", {{128, 900}, {512, 1000}, {2048, 1100}}}, {"peer", {{128, 500}}}}};
}

TEST(LineChart, ShowsEverySeriesWithLegendAndLabels) {
  const std::string svg = line_chart_svg(small_chart());
  EXPECT_EQ(xml_fault(svg), "");
  for (const char* text : {">Speed</text>", ">two threads</text>", ">length, tokens</text>",
                           ">tokens/s</text>", ">m2 fp32</text>", ">peer</text>"}) {
    EXPECT_THAT(svg, HasSubstr(text));
  }
  EXPECT_EQ(count(svg, "<path "), 2u);
  EXPECT_THAT(svg, HasSubstr("<title>m2 fp32: 512, 1,000</title>"));
  EXPECT_THAT(svg, HasSubstr("prefers-color-scheme:dark"));
}

TEST(LineChart, AWrongDocumentIsNoticed) {
  EXPECT_NE(xml_fault("<svg><g></svg>"), "");
  EXPECT_NE(xml_fault("<svg><text>a & b</text></svg>"), "");
  EXPECT_NE(xml_fault("<svg><text a=\"b/></svg>"), "");
}

// Higher values lie higher, longer ones to the right: a path of three points has rising x and, as
// SVG counts from the top, falling y.
TEST(LineChart, PointsLieWhereTheirValuesAre) {
  const std::string svg = line_chart_svg(small_chart());
  const std::string path = svg.substr(svg.find(" d=\"M") + 5);
  double x1 = 0, y1 = 0, x2 = 0, y2 = 0, x3 = 0, y3 = 0;
  ASSERT_EQ(std::sscanf(path.c_str(), "%lf %lf L%lf %lf L%lf %lf", &x1, &y1, &x2, &y2, &x3, &y3), 6)
      << path.substr(0, 60);
  EXPECT_NEAR(x2 - x1, x3 - x2, 0.011);  // equal factors, rounded to hundredths
  EXPECT_GT(x2, x1);
  EXPECT_LT(y2, y1);
  EXPECT_LT(y3, y2);
  EXPECT_LT(y2 - y3, y1 - y2);  // 1000 to 1100 is a smaller factor than 900 to 1000
}

TEST(LineChart, LabelsAreEscaped) {
  LineChart chart = small_chart();
  chart.title = "a < b & \"c\" > d";
  chart.series[0].name = std::string("</text><script>\x01 \xff ü") + "\xEF\xBF\xBF";
  chart.y.label = "<&>";
  const std::string svg = line_chart_svg(chart);
  EXPECT_EQ(xml_fault(svg), "");
  EXPECT_THAT(svg, HasSubstr("a &lt; b &amp; &quot;c&quot; &gt; d"));
  EXPECT_THAT(svg, HasSubstr("&lt;/text&gt;&lt;script&gt;\uFFFD \uFFFD ü\uFFFD"));
  EXPECT_THAT(svg, Not(HasSubstr("<script>")));
}

TEST(LineChart, ALineBreaksWhereAPointIsMissing) {
  LineChart chart = small_chart();
  chart.series.resize(1);
  chart.series[0].points = {{1, 1}, {2, kNaN}, {3, 3}, {4, 4}, {5, 0}, {6, -1}, {kNaN, 2}, {7, 7}};
  const std::string svg = line_chart_svg(chart);
  EXPECT_EQ(xml_fault(svg), "");
  const std::string path = svg.substr(svg.find(" d=\"") + 4, svg.find("\"/>", svg.find(" d=\"")));
  EXPECT_EQ(count(path.substr(0, path.find('"')), "M"), 3u);
  EXPECT_EQ(count(path.substr(0, path.find('"')), "L"), 1u);
  EXPECT_EQ(count(svg, "<g class=\"c0\"><title>"), 4u);  // the points that are shown
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
}

TEST(LineChart, NoDataSaysSo) {
  LineChart chart = small_chart();
  chart.series.clear();
  const std::string none = line_chart_svg(chart);
  EXPECT_EQ(xml_fault(none), "");
  EXPECT_THAT(none, HasSubstr(">no data</text>"));
  chart.series = {{"empty", {}}, {"nothing", {{1, kNaN}}}};
  const std::string empty = line_chart_svg(chart);
  EXPECT_EQ(xml_fault(empty), "");
  EXPECT_THAT(empty, HasSubstr(">no data</text>"));
  EXPECT_THAT(empty, HasSubstr(">nothing</text>"));
  EXPECT_THAT(line_chart_svg(small_chart()), Not(HasSubstr("no data")));
}

TEST(LineChart, ACurveOfManyPointsHasNoMarks) {
  LineChart chart = small_chart();
  chart.series[0].marks = false;
  const std::string svg = line_chart_svg(chart);
  EXPECT_EQ(xml_fault(svg), "");
  EXPECT_EQ(count(svg, "<g class=\"c0\">"), 0u);
  EXPECT_EQ(count(svg, "<g class=\"c1\">"), 2u);  // a point, and the legend's
  EXPECT_EQ(count(svg, "<path "), 2u);
}

// A path that moves to a place and draws no line from there shows nothing.
TEST(LineChart, APointByItselfHasAMark) {
  LineChart chart = small_chart();
  chart.series[0].marks = chart.series[1].marks = false;
  chart.series[0].points = {{1, 1}, {2, 2}, {3, kNaN}, {4, 4}, {5, kNaN}, {6, 6}, {7, 7}};
  const std::string svg = line_chart_svg(chart);
  EXPECT_EQ(xml_fault(svg), "");
  EXPECT_EQ(count(svg, "<g class=\"c0\">"), 1u);
  EXPECT_THAT(svg, HasSubstr("<g class=\"c0\"><title>m2 fp32: 4, 4</title><circle "));
  EXPECT_EQ(count(svg, "<g class=\"c1\">"), 1u);
  EXPECT_THAT(svg, HasSubstr("<g class=\"c1\"><title>peer: 128, 500</title><rect "));
}

// Of two rules for one class each, the later one counts.
TEST(LineChart, ACurveIsNotFilled) {
  const std::string svg = line_chart_svg(small_chart());
  EXPECT_THAT(svg, HasSubstr("<path class=\"c0 line\""));
  ASSERT_NE(svg.rfind(".line{fill:none"), svg.npos);
  EXPECT_GT(svg.rfind(".line{fill:none"), svg.rfind(".c7{"));
}

TEST(StackedCharts, AreOneDocument) {
  LineChart wide = small_chart();
  wide.title = "Rate";
  wide.series[0].name = std::string(60, 'w');
  const std::vector<LineChart> charts = {small_chart(), wide};
  const std::string svg = stacked_charts_svg(charts);
  EXPECT_EQ(xml_fault(svg), "");
  EXPECT_EQ(count(svg, "<svg "), 1u);
  EXPECT_EQ(count(svg, "<style>"), 1u);
  EXPECT_THAT(svg, HasSubstr("<title>Speed, Rate</title>"));
  double width = 0, height = 0, single_height = 0, wide_width = 0, below = 0;
  const std::string one = line_chart_svg(wide);
  const char* size = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%lf\" height=\"%lf\"";
  ASSERT_EQ(std::sscanf(svg.c_str(), size, &width, &height), 2);
  ASSERT_EQ(std::sscanf(one.c_str(), size, &wide_width, &single_height), 2);
  EXPECT_EQ(width, wide_width);
  EXPECT_EQ(height, 2 * single_height);
  const std::string second = svg.substr(svg.rfind("translate(0 "));
  ASSERT_EQ(std::sscanf(second.c_str(), "translate(0 %lf", &below), 1);
  EXPECT_EQ(below, single_height);
}

TEST(LineChart, MoreSeriesThanColoursAreDashed) {
  LineChart chart = small_chart();
  for (int i = 0; i < 30; ++i) {
    chart.series.push_back({"series " + std::to_string(i), {{1, 1.0 + i}, {2, 2.0 + i}}});
  }
  const std::string svg = line_chart_svg(chart);
  EXPECT_EQ(xml_fault(svg), "");
  EXPECT_THAT(svg, HasSubstr("stroke-dasharray=\"7 4\""));
  EXPECT_THAT(svg, HasSubstr(">series 29</text>"));
}

}  // namespace
}  // namespace m2
