#include "train/loop/batch_prefetch.h"

#include <chrono>
#include <utility>

#include "core/error.h"

namespace m2::train {
namespace {

constexpr size_t kAhead = 2;

}  // namespace

BatchPrefetch::BatchPrefetch(const SampleBatches& batches, int64_t first, int64_t end)
    : reader_([this, &batches, first, end] { read(batches, first, end); }) {}

BatchPrefetch::~BatchPrefetch() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  reader_.join();
}

void BatchPrefetch::read(const SampleBatches& batches, int64_t first, int64_t end) {
  try {
    for (int64_t number = first; number < end; ++number) {
      m2::Batch batch = batches.read(number);
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || ready_.size() < kAhead; });
      if (stopping_) return;
      ready_.push_back(std::move(batch));
      changed_.notify_all();
    }
  } catch (...) {
    const std::lock_guard lock(mutex_);
    problem_ = std::current_exception();
    changed_.notify_all();
  }
}

m2::Batch BatchPrefetch::next() {
  const auto start = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !ready_.empty() || problem_; });
  waited_seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (ready_.empty()) std::rethrow_exception(problem_);
  m2::Batch batch = std::move(ready_.front());
  ready_.pop_front();
  changed_.notify_all();
  return batch;
}

}  // namespace m2::train
