// What `m2 bench` measures, and the figures that follow from it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "layers/phase_times.h"

namespace m2 {

// The work of one timing: texts computed in one call.
struct BenchShape {
  int64_t length = 0;  // tokens of each text; 0 where they differ
  int64_t texts = 1;
  int64_t tokens = 0;        // of all texts, pads not counted
  int64_t longest_text = 0;  // in tokens
  int64_t cut_texts = 0;     // that lost their ends
  // Floating-point operations of those tokens: dense work (dense_flops_per_token), and attention's
  // scores and weighted values (attention_flops_per_token).
  double dense_flops = 0, attention_flops = 0;

  bool mixed() const { return length == 0; }
};

// One program in one dtype on a number of threads.
struct BenchSeries {
  std::string program;  // "m2", or the peer's name
  std::string title;    // as it describes itself
  std::string dtype;    // "fp32"
  std::string family;   // of its model: "m2_bert"
  int threads = 0;
  bool own = false;

  // "m2 fp32"; a peer's own name.
  std::string name() const { return own ? program + " " + dtype : program; }
};

// A series at a shape.
struct BenchCell {
  size_t series = 0, shape = 0;
  std::string problem;          // why there are no timings, or not all; else empty
  double first_seconds = 0;     // of the run before the timings, that warms up
  std::vector<double> seconds;  // one a repeat
  int64_t peak_bytes = 0;       // 0: not known
  // Of our own series alone: oneDNN's best rate between the timings, and what its threads did
  // during all of them.
  double gemm_gflops = 0;
  PhaseSeconds phases{};

  bool timed() const { return problem.empty() && !seconds.empty(); }
};

struct BenchResult {
  std::vector<BenchShape> shapes;
  std::vector<BenchSeries> series;
  std::vector<BenchCell> cells;

  // Null where the series was not timed at that shape.
  const BenchCell* timed_cell(size_t series, size_t shape) const;
  // Our speed over the peer's, in the peer's dtype and on as many threads: the median over repeats
  // of the ratio of times that were measured side by side. Nothing where one was not timed.
  std::optional<double> ratio(size_t peer_series, size_t shape) const;
};

// The middle value, or the mean of the two in the middle. `values` is not empty.
double median(std::vector<double> values);

double tokens_per_second(const BenchCell& cell, const BenchShape& shape);

// flops / median time / GEMM rate: the share of oneDNN's rate that `flops` amount to.
double roofline_fraction(const BenchCell& cell, double flops);

// Share of the threads' time that a phase took; and what is left, idle threads included.
double phase_share(const BenchCell& cell, int threads, Phase phase);
double remaining_share(const BenchCell& cell, int threads);

}  // namespace m2
