// Reads batches ahead of the training, in a thread of its own.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>

#include "train/loop/sample_batches.h"

namespace m2::train {

class BatchPrefetch {
 public:
  // Of the batches [first, end); `batches` must outlive this.
  BatchPrefetch(const SampleBatches& batches, int64_t first, int64_t end);
  ~BatchPrefetch();
  BatchPrefetch(const BatchPrefetch&) = delete;
  BatchPrefetch& operator=(const BatchPrefetch&) = delete;

  // The next one; throws what reading it threw.
  m2::Batch next();
  // How long the last next() waited.
  double waited_seconds() const { return waited_seconds_; }

 private:
  void read(const SampleBatches& batches, int64_t first, int64_t end);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<m2::Batch> ready_;
  std::exception_ptr problem_;
  bool stopping_ = false;
  double waited_seconds_ = 0;
  std::thread reader_;
};

}  // namespace m2::train
