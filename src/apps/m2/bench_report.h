// How `m2 bench` shows its result: a table on the terminal, a file of JSON, a chart.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "apps/m2/bench_result.h"

namespace m2 {

// What holds for the whole run.
struct BenchSetting {
  std::string model;  // as it was named
  std::string family;
  int64_t longest_text = 0;  // of the model, in tokens
  double dense_flops_per_token = 0;
  std::string isa, gemm_library, pooling;
  std::string filter_cache_dtype;
  int64_t filter_cache_bytes = -1;  // -1: a model without filters
  int repeats = 0;
  double peer_seconds = 0;
  std::string documents;  // the file of the mixed shape
};

// Above all rows; above those of a number of threads; and a row for a cell, as it comes.
std::string table_head(const BenchSetting& setting, const std::vector<BenchShape>& shapes);
std::string table_columns(int threads);
std::string table_row(const BenchResult& result, const BenchCell& cell);
// Below the rows: where the time goes; and where there are several series on as many threads, their
// speeds side by side and how many times as fast as each peer the program is.
std::string table_summary(const BenchResult& result);

// The document that docs/benchmarks.md describes.
nlohmann::ordered_json json_report(const BenchSetting& setting, const BenchResult& result);

// Tokens a second against length, a line a series, of the shapes of one length.
std::string svg_report(const BenchSetting& setting, const BenchResult& result);

}  // namespace m2
