#include "serve/worker_pool.h"

#include <utility>

namespace m2 {
namespace {

// Parsed, tokenized and answered within milliseconds.
constexpr size_t kSmallBytes = size_t{64} << 10;

}  // namespace

WorkerPool::WorkerPool() {
  for (const bool small_alone : {true, false}) {
    threads_.emplace_back([this, small_alone] { run(small_alone); });
  }
}

WorkerPool::~WorkerPool() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  changed_.notify_all();
}

void WorkerPool::post(size_t bytes, Work work) {
  {
    const std::lock_guard lock(mutex_);
    (bytes <= kSmallBytes ? small_ : large_).push_back(std::move(work));
  }
  changed_.notify_all();
}

void WorkerPool::run(bool small_alone) {
  while (true) {
    Work work;
    {
      std::unique_lock lock(mutex_);
      const auto some = [&] { return !small_.empty() || (!small_alone && !large_.empty()); };
      changed_.wait(lock, [&] { return closed_ || some(); });
      if (!some()) return;
      std::deque<Work>& queue = !small_alone && !large_.empty() ? large_ : small_;
      work = std::move(queue.front());
      queue.pop_front();
    }
    work();
  }
}

}  // namespace m2
