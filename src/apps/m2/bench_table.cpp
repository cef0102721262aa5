#include <algorithm>
#include <array>
#include <cstdio>

#include "apps/m2/bench_report.h"
#include "core/text.h"

namespace m2 {
namespace {

constexpr size_t kNameWidth = 22;

std::string fixed(double value, int digits) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.*f", digits, value);
  return text.data();
}

// Three or four digits that matter.
std::string seconds_text(double seconds) {
  return fixed(seconds, seconds < 0.1 ? 5 : seconds < 10 ? 3 : 1);
}

std::string padded(const std::string& text, size_t width) {
  return std::string(text.size() < width ? width - text.size() : 0, ' ') + text;
}

std::string name_column(const std::string& name) {
  return "  " + name + std::string(name.size() < kNameWidth ? kNameWidth - name.size() : 0, ' ');
}

std::string row_begin(const BenchShape& shape) {
  return padded(shape.mixed() ? "mixed" : std::to_string(shape.length), 7) +
         padded(std::to_string(shape.texts), 7);
}

std::string numbers(const BenchSeries& series, const BenchShape& shape, const BenchCell& cell) {
  std::string row = padded(seconds_text(median(cell.seconds)), 10) +
                    padded(seconds_text(cell.first_seconds), 10) +
                    padded(fixed(tokens_per_second(cell, shape), 0), 10);
  if (series.own) {
    row += padded(fixed(cell.gemm_gflops, 0), 8) +
           padded(fixed(roofline_fraction(cell, shape.dense_flops), 3), 10);
  } else {
    row += padded("-", 8) + padded("-", 10);
  }
  return row +
         padded(cell.peak_bytes > 0 ? bytes_text(static_cast<uint64_t>(cell.peak_bytes)) : "-", 10);
}

bool has_attention(const BenchResult& result) {
  return std::any_of(result.shapes.begin(), result.shapes.end(),
                     [](const BenchShape& shape) { return shape.attention_flops > 0; });
}

// Numbers of threads, each once, as they came.
std::vector<int> thread_counts(const BenchResult& result) {
  std::vector<int> counts;
  for (const BenchSeries& series : result.series) {
    if (counts.empty() || counts.back() != series.threads) counts.push_back(series.threads);
  }
  return counts;
}

std::vector<size_t> series_of(const BenchResult& result, int threads) {
  std::vector<size_t> found;
  for (size_t i = 0; i < result.series.size(); ++i) {
    if (result.series[i].threads == threads) found.push_back(i);
  }
  return found;
}

std::string phase_table(const BenchResult& result) {
  std::array<bool, kPhases> used{};
  for (const BenchCell& cell : result.cells) {
    for (size_t i = 0; i < kPhases; ++i) used[i] = used[i] || cell.phases[i] > 0;
  }
  std::string head = padded("length", 7) + padded("texts", 7) + name_column("program");
  std::array<size_t, kPhases> widths{};
  for (size_t i = 0; i < kPhases; ++i) {
    const std::string name = phase_name(static_cast<Phase>(i));
    widths[i] = name.size() + 2;
    if (used[i]) head += padded(name, widths[i]);
  }
  std::string out = "\nwhere the time of the threads goes, %\n" + head + padded("rest", 7) + "\n";
  for (const BenchCell& cell : result.cells) {
    const BenchSeries& series = result.series[cell.series];
    if (!series.own || !cell.timed()) continue;
    out += row_begin(result.shapes[cell.shape]) + name_column(series.name());
    for (size_t i = 0; i < kPhases; ++i) {
      if (!used[i]) continue;
      const double share = phase_share(cell, series.threads, static_cast<Phase>(i));
      out += padded(fixed(100 * share, 1), widths[i]);
    }
    out += padded(fixed(100 * remaining_share(cell, series.threads), 1), 7) + "\n";
  }
  return out;
}

// A row a shape, a column a series of `columns`; `value` gives the text of a place.
template <class Value>
std::string side_by_side(const BenchResult& result, const std::string& title,
                         const std::vector<size_t>& columns, const Value& value) {
  std::string out = "\n" + title + "\n" + padded("length", 7) + padded("texts", 7);
  for (const size_t series : columns) out += "  " + padded(result.series[series].name(), 8);
  out += '\n';
  for (size_t shape = 0; shape < result.shapes.size(); ++shape) {
    out += row_begin(result.shapes[shape]);
    for (const size_t series : columns) {
      const size_t width = std::max<size_t>(8, result.series[series].name().size());
      out += "  " + padded(value(series, shape), width);
    }
    out += '\n';
  }
  return out;
}

std::string comparison(const BenchResult& result, int threads) {
  const std::vector<size_t> columns = series_of(result, threads);
  if (columns.size() < 2) return "";
  std::string out = side_by_side(
      result, concat("tokens/s, ", threads, " threads"), columns, [&](size_t series, size_t shape) {
        const BenchCell* cell = result.timed_cell(series, shape);
        return cell ? fixed(tokens_per_second(*cell, result.shapes[shape]), 0) : "-";
      });
  std::vector<size_t> peers = columns;
  std::erase_if(peers, [&](size_t series) { return result.series[series].own; });
  if (peers.empty()) return out;
  return out + side_by_side(result, "times as fast as the peer, in the peer's dtype", peers,
                            [&](size_t peer, size_t shape) {
                              const auto ratio = result.ratio(peer, shape);
                              return ratio ? fixed(*ratio, 2) : "-";
                            });
}

std::string attention_table(const BenchResult& result) {
  std::string out = "\nroofline fraction with attention's products counted too\n";
  for (const BenchCell& cell : result.cells) {
    const BenchSeries& series = result.series[cell.series];
    if (!series.own || !cell.timed()) continue;
    const BenchShape& shape = result.shapes[cell.shape];
    out += row_begin(shape) + name_column(series.name()) +
           padded(fixed(roofline_fraction(cell, shape.dense_flops + shape.attention_flops), 3), 8) +
           "\n";
  }
  return out;
}

std::string titles(const BenchResult& result) {
  std::string out;
  for (const BenchSeries& series : result.series) {
    const std::string line = series.name() + ": " + series.title + "\n";
    if (out.find(line) == out.npos) out += line;
  }
  return "\n" + out;
}

}  // namespace

std::string table_head(const BenchSetting& setting, const std::vector<BenchShape>& shapes) {
  std::string cache;
  if (setting.filter_cache_bytes >= 0) {
    cache = concat(", filter cache ", bytes_text(static_cast<uint64_t>(setting.filter_cache_bytes)),
                   " of ", setting.filter_cache_dtype);
  }
  std::string out = concat(
      setting.model, ": ", setting.family, ", ", fixed(setting.dense_flops_per_token / 1e6, 1),
      " MFLOP of dense work a token\n", setting.isa, ", oneDNN ", setting.gemm_library, ", ",
      setting.pooling, " pooling", cache, ", median of ", setting.repeats, "\n");
  for (const BenchShape& shape : shapes) {
    if (!shape.mixed()) continue;
    out += concat("mixed: ", shape.texts, " texts of ", setting.documents, ", ", shape.tokens,
                  " tokens, the longest ", shape.longest_text, ", ", shape.cut_texts, " cut\n");
  }
  return out;
}

std::string table_columns(int threads) {
  return concat("\n", threads, threads == 1 ? " thread\n" : " threads\n", padded("length", 7),
                padded("texts", 7), name_column("program"), padded("seconds", 10),
                padded("first", 10), padded("tokens/s", 10), padded("GFLOP/s", 8),
                padded("roofline", 10), padded("peak", 10), "\n");
}

std::string table_row(const BenchResult& result, const BenchCell& cell) {
  const BenchSeries& series = result.series[cell.series];
  const BenchShape& shape = result.shapes[cell.shape];
  const std::string begin = row_begin(shape) + name_column(series.name());
  if (!cell.timed()) return begin + "  " + cell.problem + "\n";
  return begin + numbers(series, shape, cell) + "\n";
}

std::string table_summary(const BenchResult& result) {
  std::string out = phase_table(result);
  if (has_attention(result)) out += attention_table(result);
  for (const int threads : thread_counts(result)) out += comparison(result, threads);
  return out + titles(result);
}

}  // namespace m2
