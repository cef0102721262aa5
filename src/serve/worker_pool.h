// Threads that parse requests, tokenize texts and write answers, beside the engine's own.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace m2 {

// Two threads; one takes small work alone, so that it never waits for large work. What may wait
// here is bounded by who posts: a connection has one request in hand.
class WorkerPool {
 public:
  using Work = std::function<void()>;  // must not throw

  WorkerPool();
  ~WorkerPool();  // ends the work that was posted

  // `bytes` is what there is to read or write.
  void post(size_t bytes, Work work);

 private:
  void run(bool small_alone);

  std::mutex mutex_;
  std::condition_variable changed_;
  bool closed_ = false;
  std::deque<Work> small_, large_;
  std::vector<std::jthread> threads_;
};

}  // namespace m2
