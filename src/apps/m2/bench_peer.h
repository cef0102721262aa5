// A program that `m2 bench --against` times beside this one: a script that waits for shapes.
//
// PYTHON BASELINES/peer.py NAME --threads N --model FOLDER says, a JSON object a line,
//   {"peer": NAME, "title": …, "dtype": "fp32", "family": "m2_bert"} when it is ready; then to each
//   {"length": 512, "batch": 1} that it is sent
//   {"seconds": 0.123, "peak_bytes": 123456789}, its time for one forward pass;
// in the place of either {"error": "…"}. The end of its input ends it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "apps/m2/bench_result.h"
#include "apps/m2/child_process.h"

namespace m2 {

struct PeerOptions {
  std::string python;     // empty: BASELINES/../.venv/bin/python where there is one, else python3
  std::string baselines;  // the folder of peer.py
  std::string model;      // the folder of our model
  double patience = 0;    // seconds that an answer may take
};

// The names that `--against all` stands for.
std::vector<std::string> known_peers();

class BenchPeer {
 public:
  // Starts the script and waits until it is ready. Error(kInput) where the script or Python is
  // missing; a script that is not well ends in problem().
  BenchPeer(const std::string& name, int threads, const PeerOptions& options);

  const BenchSeries& series() const { return series_; }
  // Why it can no longer be asked; empty while it can.
  const std::string& problem() const { return problem_; }

  struct Answer {
    double seconds = 0;
    int64_t peak_bytes = 0;
    std::string problem;  // the peer's error; empty where there is none
  };
  Answer time(int64_t length, int64_t batch);

 private:
  struct Line;
  Line read_object();
  Answer end(const std::string& problem);

  BenchSeries series_;
  double patience_;
  std::string problem_;
  std::unique_ptr<ChildProcess> process_;  // null once it has ended
};

}  // namespace m2
