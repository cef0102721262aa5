// The order of timings in `m2 bench`: whatever is compared is timed side by side.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "apps/m2/bench_own.h"
#include "apps/m2/bench_peer.h"
#include "apps/m2/bench_result.h"

namespace m2 {

struct BenchPlan {
  std::vector<BenchModel> models;  // one a dtype
  std::vector<BenchWork> work;
  std::vector<int> threads;
  VectorRequest request;
  SessionOptions session;  // threads set from the list
  int repeats = 0;
  std::vector<std::string> peers;
  PeerOptions peer_options;
  std::map<std::string, int64_t> peer_longest;  // tokens of the longest text a peer is asked for
  double peer_seconds = 0;                      // a peer's timings of a shape end after so many
};

std::vector<BenchShape> shapes_of(const BenchPlan& plan);

// For each number of threads the peers are started, then for each shape: every program runs once to
// warm up, then `repeats` times in turn. `say` hears of each cell when its shape is done, with the
// result so far.
using SayCell = std::function<void(const BenchResult&, const BenchCell&)>;
BenchResult run_bench(const BenchPlan& plan, const SayCell& say);

}  // namespace m2
