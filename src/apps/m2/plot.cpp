#include <algorithm>
#include <charconv>
#include <cmath>
#include <memory>

#include "apps/m2/command.h"
#include "apps/m2/run_metrics.h"
#include "cli/output_file.h"
#include "core/error.h"
#include "core/text.h"

namespace m2 {
namespace {

constexpr size_t kMostPoints = 2000;  // of a curve: three times the pixels it is drawn on

struct PlotFlags {
  std::vector<std::string> runs, metrics, horizontals;
  std::string output, x = "step";
  int smooth = 1;
};

struct Horizontal {
  double value = 0;
  std::string label;
};

Horizontal parse_horizontal(const std::string& text) {
  Horizontal line;
  const size_t equals = text.find('=');
  const char* end = text.data() + std::min(equals, text.size());
  const auto [stop, problem] = std::from_chars(text.data(), end, line.value);
  if (problem != std::errc() || stop != end || !std::isfinite(line.value) ||
      equals == std::string::npos) {
    throw usage_error(
        concat("--horizontal \"", printable(text), "\" is not VALUE=LABEL, as in 6.98=unigram"));
  }
  line.label = text.substr(equals + 1);
  return line;
}

std::string names_of(const RunMetrics& run) {
  std::vector<std::string> names;
  for (const auto& [name, points] : run.curves) names.push_back(name);
  return join(names, ", ");
}

void require(const RunMetrics& run, const std::string& metric) {
  if (run.curves.contains(metric)) return;
  throw input_error(
      concat(run.file, ": has no metric \"", printable(metric), "\"; it has ", names_of(run)));
}

// Those asked for, which every run must have; by default loss and, where one reported it, the
// learning rate.
std::vector<std::string> chosen_metrics(const PlotFlags& flags,
                                        const std::vector<RunMetrics>& runs) {
  std::vector<std::string> names = flags.metrics;
  if (names.empty()) names = {"loss"};
  for (const std::string& name : names) {
    for (const RunMetrics& run : runs) require(run, name);
  }
  const bool rates = std::any_of(runs.begin(), runs.end(), [](const RunMetrics& run) {
    return run.curves.contains("learning_rate");
  });
  if (flags.metrics.empty() && rates) names.emplace_back("learning_rate");
  return names;
}

// Lines across all that the curves cover, and beyond where that is a single place.
void add_horizontals(const std::vector<Horizontal>& horizontals, LineChart& chart) {
  double first = INFINITY, last = -INFINITY;
  for (const PlotSeries& series : chart.series) {
    for (const PlotPoint& point : series.points) {
      if (!std::isfinite(point.x)) continue;
      first = std::min(first, point.x);
      last = std::max(last, point.x);
    }
  }
  if (first == last) {
    const double around = first == 0 ? 1 : std::abs(first) / 2;
    first -= around;
    last += around;
  }
  for (const Horizontal& line : horizontals) {
    chart.series.push_back({line.label, {{first, line.value}, {last, line.value}}, false});
  }
}

LineChart chart_of(const std::string& metric, const PlotFlags& flags,
                   const std::vector<RunMetrics>& runs) {
  LineChart chart;
  chart.title = metric;
  // An evaluation is a mean over many batches already, and a run has few.
  const int smooth = metric.starts_with("evaluation/") ? 1 : flags.smooth;
  if (smooth > 1) chart.subtitle = concat("mean of ", smooth, " points");
  chart.x.label = flags.x;
  chart.y.label = metric;
  const std::vector<std::string> labels = run_labels(flags.runs);
  for (size_t i = 0; i < runs.size(); ++i) {
    const auto found = runs[i].curves.find(metric);
    PlotSeries series{labels[i], {}, false};
    if (found != runs[i].curves.end()) {
      series.points = thinned(smoothed(found->second, smooth), kMostPoints);
    }
    chart.series.push_back(series);
  }
  return chart;
}

void plot(const PlotFlags& flags) {
  std::vector<Horizontal> horizontals;
  for (const std::string& text : flags.horizontals) horizontals.push_back(parse_horizontal(text));
  std::vector<RunMetrics> runs;
  for (const std::string& run : flags.runs) {
    runs.push_back(read_run_metrics(run, flags.x));
    if (flags.x != "step") require(runs.back(), flags.x);
  }
  std::vector<LineChart> charts;
  for (const std::string& metric : chosen_metrics(flags, runs)) {
    charts.push_back(chart_of(metric, flags, runs));
  }
  add_horizontals(horizontals, charts[0]);
  OutputFile output(flags.output, OutputFile::OnFailure::kRemove);
  output.stream() << stacked_charts_svg(charts);
  output.commit();
}

}  // namespace

void add_plot(CLI::App& app) {
  CLI::App& command = *app.add_subcommand("plot", "Draw the curves of trainings as SVG");
  const auto flags = std::make_shared<PlotFlags>();
  command
      .add_option("RUN", flags->runs,
                  "Folders of trainings, their save_folder, or files like their metrics.jsonl")
      ->required();
  command.add_option("-o,--output", flags->output, "SVG file; by default standard output");
  command
      .add_option("--metric", flags->metrics,
                  "Metric to draw, a panel each; by default loss and learning_rate")
      ->take_all()
      ->expected(1);
  command.add_option("--x", flags->x, "step, or a metric such as tokens")->capture_default_str();
  command
      .add_option("--smooth", flags->smooth, "Draw means of the last N points, but for evaluations")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  command
      .add_option("--horizontal", flags->horizontals,
                  "VALUE=LABEL: a line across the first panel, for a number to compare with")
      ->take_all()
      ->expected(1);
  command.footer(
      "Example:\n"
      "  m2 plot runs/small runs/bert --smooth 20 --horizontal 6.98=unigram -o curves.svg");
  command.callback([flags] { plot(*flags); });
}

}  // namespace m2
