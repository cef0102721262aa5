#include "core/threads.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <vector>

namespace m2 {
namespace {

TEST(ThreadPool, RunsEveryIndexOnce) {
  for (const int workers : {1, 2, 3, 8}) {
    ThreadPool pool(workers);
    EXPECT_EQ(pool.workers(), workers);
    for (const size_t count : {0u, 1u, 2u, 7u, 1000u}) {
      std::vector<std::atomic<int>> hits(count);
      pool.parallel_for(count, [&](size_t index, int worker) {
        ASSERT_GE(worker, 0);
        ASSERT_LT(worker, workers);
        ++hits[index];
      });
      for (const auto& hit : hits) EXPECT_EQ(hit.load(), 1);
    }
  }
}

TEST(ThreadPool, RethrowsAndGoesOnWorking) {
  ThreadPool pool(2);
  const auto fail = [&] {
    pool.parallel_for(100, [](size_t index, int) {
      if (index == 13) throw std::runtime_error("thirteen");
    });
  };
  EXPECT_THROW(fail(), std::runtime_error);
  std::atomic<int> sum{0};
  pool.parallel_for(10, [&](size_t index, int) { sum += static_cast<int>(index); });
  EXPECT_EQ(sum.load(), 45);
}

}  // namespace
}  // namespace m2
