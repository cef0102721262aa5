#include "apps/m2/bench_run.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <numeric>
#include <thread>

#include "cli/interrupt.h"
#include "config/model_config.h"
#include "core/dtype.h"
#include "core/error.h"
#include "core/log.h"
#include "core/text.h"
#include "ops/gemm/matmul.h"
#include "ops/operand.h"

namespace m2 {
namespace {

// Threads of another program's pool go on looking for work for a while; after so long they sleep.
constexpr auto kSettleTime = std::chrono::milliseconds(200);

BenchSeries own_series(const BenchModel& model, int threads) {
  const DType dtype = model.model->dtype, operand = operand_type(dtype);
  std::string title =
      concat("m2 " M2_VERSION ", oneDNN ", gemm_library_version(), ", ", dtype_name(dtype));
  if (operand != dtype) {
    title += concat(", multiplied in ", dtype_name(operand), ": no such products on this machine");
  }
  return {"m2", title, dtype_name(dtype), family_name(model.model->config.family), threads, true};
}

// One peer's timings at one shape.
class PeerRun {
 public:
  PeerRun(BenchPeer& peer, const BenchShape& shape, const BenchPlan& plan)
      : peer_(peer), shape_(shape), most_seconds_(plan.peer_seconds) {
    const auto longest = plan.peer_longest.find(peer.series().program);
    if (shape.mixed()) {
      cell_.problem = "skipped: peers take texts of one length";
    } else if (longest != plan.peer_longest.end() && shape.length > longest->second) {
      cell_.problem = concat("skipped: longer than --peer-max-length ", longest->second);
    }
  }

  bool goes_on() const {
    const double spent = std::accumulate(cell_.seconds.begin(), cell_.seconds.end(), 0.0);
    return cell_.problem.empty() && (cell_.seconds.empty() || spent < most_seconds_);
  }
  void warm_up() { cell_.first_seconds = ask(); }
  void time() {
    const double seconds = ask();
    if (cell_.problem.empty()) cell_.seconds.push_back(seconds);
  }
  const BenchCell& cell() const { return cell_; }

 private:
  double ask() {
    const BenchPeer::Answer answer = peer_.time(shape_.length, shape_.texts);
    cell_.problem = answer.problem;
    cell_.peak_bytes = std::max(cell_.peak_bytes, answer.peak_bytes);
    return answer.seconds;
  }

  BenchPeer& peer_;
  const BenchShape& shape_;
  double most_seconds_;
  BenchCell cell_;
};

class Runner {
 public:
  Runner(const BenchPlan& plan, const SayCell& say) : plan_(plan), say_(say) {
    result_.shapes = shapes_of(plan);
    for (const BenchModel& model : plan.models) memory_.held += model.bytes;
  }

  BenchResult run() {
    for (const int threads : plan_.threads) {
      const size_t first = result_.series.size();
      for (const BenchModel& model : plan_.models) {
        result_.series.push_back(own_series(model, threads));
      }
      const auto peers = start_peers(threads);
      for (size_t shape = 0; shape < plan_.work.size(); ++shape) {
        run_shape(first, shape, threads, peers);
      }
    }
    return std::move(result_);
  }

 private:
  using Peers = std::vector<std::unique_ptr<BenchPeer>>;

  Peers start_peers(int threads) {
    Peers peers;
    for (const std::string& name : plan_.peers) {
      peers.push_back(std::make_unique<BenchPeer>(name, threads, plan_.peer_options));
      result_.series.push_back(peers.back()->series());
      if (!peers.back()->problem().empty()) {
        log_warning(concat("the peer ", name, " cannot be asked: ", peers.back()->problem()));
      }
    }
    return peers;
  }

  void settle() const {
    if (!plan_.peers.empty()) std::this_thread::sleep_for(kSettleTime);
    stop_if_interrupted();
  }

  void run_shape(size_t first_series, size_t shape, int threads, const Peers& peers) {
    const BenchWork& work = plan_.work[shape];
    SessionOptions options = plan_.session;
    options.threads = threads;
    std::vector<std::unique_ptr<BenchRun>> own;
    for (const BenchModel& model : plan_.models) {
      own.push_back(std::make_unique<BenchRun>(model, work, plan_.request, options, memory_));
      own.back()->warm_up();
    }
    std::vector<PeerRun> others;
    for (const auto& peer : peers) {
      others.emplace_back(*peer, work.shape, plan_);
      if (others.back().goes_on()) others.back().warm_up();
    }
    for (int repeat = 0; repeat < plan_.repeats; ++repeat) {
      for (const auto& run : own) {
        settle();
        run->time();
      }
      for (PeerRun& run : others) {
        if (!run.goes_on()) continue;
        settle();
        run.time();
      }
    }
    size_t series = first_series;
    for (const auto& run : own) keep(run->cell(), series++, shape);
    for (const PeerRun& run : others) keep(run.cell(), series++, shape);
  }

  void keep(BenchCell cell, size_t series, size_t shape) {
    cell.series = series;
    cell.shape = shape;
    result_.cells.push_back(std::move(cell));
    say_(result_, result_.cells.back());
  }

  const BenchPlan& plan_;
  const SayCell& say_;
  BenchMemory memory_;
  BenchResult result_;
};

}  // namespace

std::vector<BenchShape> shapes_of(const BenchPlan& plan) {
  std::vector<BenchShape> shapes;
  for (const BenchWork& work : plan.work) shapes.push_back(work.shape);
  return shapes;
}

BenchResult run_bench(const BenchPlan& plan, const SayCell& say) {
  return Runner(plan, say).run();
}

}  // namespace m2
