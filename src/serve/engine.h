// Computes what the queue gives out, on one thread, and sees to it that jobs end in time.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "serve/fair_queue.h"

namespace m2 {

// Tokens a second while it computes, a moving mean that follows half a minute.
class DrainRate {
 public:
  void add(size_t tokens, double seconds);
  double tokens_per_second() const;  // 0 before the first batch

 private:
  mutable std::mutex mutex_;
  double tokens_ = 0, seconds_ = 0;
};

class Engine {
 public:
  struct Batch {
    size_t texts = 0, tokens = 0;
    double seconds = 0;
  };
  // `on_batch` is told of every batch, on the engine's thread.
  Engine(FairQueue& queue, std::function<void(const Batch&)> on_batch);
  // Computes what is in the queue to the end, unless stop() was called.
  ~Engine();

  void start();
  // Ends the batch in hand at its next layer; all jobs end with JobEnd::kStopped.
  void stop();

  const DrainRate& rate() const { return rate_; }

 private:
  using Pieces = std::vector<FairQueue::Piece>;
  void run();
  void watch();
  void compute(const Pieces& pieces);
  void compute_together(const Pieces& pieces);
  void finish(const Pieces& pieces);

  FairQueue& queue_;
  std::function<void(const Batch&)> on_batch_;
  DrainRate rate_;
  std::atomic<bool> stopped_ = false;
  std::jthread computing_, watching_;
};

}  // namespace m2
