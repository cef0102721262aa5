#include "apps/m2/bench_report.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "core/machine.h"
#include "core/text.h"
#include "plot/line_chart.h"

namespace m2 {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kFormat = 1;  // of the document; another number where a key's meaning changes

Json own_figures(const BenchSeries& series, const BenchShape& shape, const BenchCell& cell) {
  Json phases = Json::object();
  for (size_t i = 0; i < kPhases; ++i) {
    const Phase phase = static_cast<Phase>(i);
    phases[phase_name(phase)] = phase_share(cell, series.threads, phase);
  }
  phases["rest"] = remaining_share(cell, series.threads);
  Json figures = {{"gemm_gflops", cell.gemm_gflops},
                  {"roofline_fraction", roofline_fraction(cell, shape.dense_flops)}};
  if (shape.attention_flops > 0) {
    figures["roofline_fraction_with_attention"] =
        roofline_fraction(cell, shape.dense_flops + shape.attention_flops);
  }
  figures["time_shares"] = std::move(phases);
  return figures;
}

Json cell_json(const BenchResult& result, const BenchCell& cell) {
  const BenchSeries& series = result.series[cell.series];
  const BenchShape& shape = result.shapes[cell.shape];
  Json out = {{"series", cell.series}, {"shape", cell.shape}};
  if (!cell.problem.empty()) out["problem"] = cell.problem;
  if (cell.first_seconds > 0) out["first_seconds"] = cell.first_seconds;
  out["seconds"] = cell.seconds;
  if (!cell.timed()) return out;
  out["median_seconds"] = median(cell.seconds);
  out["tokens_per_second"] = tokens_per_second(cell, shape);
  if (cell.peak_bytes > 0) out["peak_bytes"] = cell.peak_bytes;
  if (series.own) out.update(own_figures(series, shape, cell));
  return out;
}

Json setting_json(const BenchSetting& setting) {
  Json out = {{"format", kFormat},
              {"program", "m2 " M2_VERSION},
              {"gemm_library", "oneDNN " + setting.gemm_library},
              {"processor", describe_machine().processor},
              {"isa", setting.isa},
              {"model", printable(setting.model)},
              {"family", setting.family},
              {"longest_text", setting.longest_text},
              {"dense_flops_per_token", setting.dense_flops_per_token},
              {"pooling", setting.pooling}};
  if (setting.filter_cache_bytes >= 0) {
    out["filter_cache_bytes"] = setting.filter_cache_bytes;
    out["filter_cache_dtype"] = setting.filter_cache_dtype;
  }
  out["repeats"] = setting.repeats;
  out["peer_seconds"] = setting.peer_seconds;
  if (!setting.documents.empty()) out["documents"] = printable(setting.documents);
  return out;
}

Json shape_json(const BenchShape& shape) {
  Json out = {{"length", shape.mixed() ? Json() : Json(shape.length)},
              {"texts", shape.texts},
              {"tokens", shape.tokens},
              {"longest_text", shape.longest_text},
              {"cut_texts", shape.cut_texts},
              {"dense_flops", shape.dense_flops}};
  if (shape.attention_flops > 0) out["attention_flops"] = shape.attention_flops;
  return out;
}

Json series_json(const BenchSeries& series) {
  return {{"program", series.program}, {"title", series.title},     {"dtype", series.dtype},
          {"family", series.family},   {"threads", series.threads}, {"own", series.own}};
}

// The series at every shape of one length and of that many texts.
PlotSeries line_of(const BenchResult& result, size_t series, int64_t texts) {
  PlotSeries line;
  for (size_t shape = 0; shape < result.shapes.size(); ++shape) {
    const BenchShape& work = result.shapes[shape];
    const BenchCell* cell = result.timed_cell(series, shape);
    if (work.mixed() || work.texts != texts || cell == nullptr) continue;
    line.points.push_back({static_cast<double>(work.length), tokens_per_second(*cell, work)});
  }
  std::sort(line.points.begin(), line.points.end(),
            [](const PlotPoint& a, const PlotPoint& b) { return a.x < b.x; });
  return line;
}

}  // namespace

nlohmann::ordered_json json_report(const BenchSetting& setting, const BenchResult& result) {
  Json out = setting_json(setting);
  for (const char* key : {"shapes", "series", "cells", "ratios"}) out[key] = Json::array();
  for (const BenchShape& shape : result.shapes) out["shapes"].push_back(shape_json(shape));
  for (const BenchCell& cell : result.cells) out["cells"].push_back(cell_json(result, cell));
  for (size_t series = 0; series < result.series.size(); ++series) {
    out["series"].push_back(series_json(result.series[series]));
    for (size_t shape = 0; shape < result.shapes.size(); ++shape) {
      if (result.series[series].own) continue;
      const auto ratio = result.ratio(series, shape);
      if (ratio) {
        out["ratios"].push_back({{"peer_series", series}, {"shape", shape}, {"ratio", *ratio}});
      }
    }
  }
  return out;
}

std::string svg_report(const BenchSetting& setting, const BenchResult& result) {
  LineChart chart;
  chart.title = concat("Embedding speed, ", setting.family);
  chart.subtitle = concat(printable(setting.model), ", ", setting.pooling, " pooling, ",
                          describe_machine().processor, ", ", setting.isa);
  std::set<double> lengths;
  std::set<int64_t> texts;
  for (const BenchShape& shape : result.shapes) {
    if (shape.mixed()) continue;
    lengths.insert(static_cast<double>(shape.length));
    texts.insert(shape.texts);
  }
  chart.x = {"length of a text, tokens", true, {lengths.begin(), lengths.end()}};
  chart.y = {"tokens a second", true};
  for (size_t series = 0; series < result.series.size(); ++series) {
    for (const int64_t count : texts) {
      PlotSeries line = line_of(result, series, count);
      if (line.points.empty()) continue;
      const int threads = result.series[series].threads;
      line.name = concat(result.series[series].name(), ", ", threads,
                         threads == 1 ? " thread" : " threads");
      if (texts.size() > 1) line.name += concat(", ", count, count == 1 ? " text" : " texts");
      chart.series.push_back(std::move(line));
    }
  }
  return line_chart_svg(chart);
}

}  // namespace m2
