// Threads: a loop over independent pieces of work, spread over a pool.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

namespace m2 {

// Runs `body(index, worker)` for each index below `count`, in any order and on any worker;
// 0 <= worker < workers() names a scratch area that no other running body has. Results must not
// depend on which worker takes an index. The implementation may be replaced (a framework's pool).
class Executor {
 public:
  using Body = std::function<void(size_t index, int worker)>;
  virtual ~Executor() = default;
  virtual int workers() const = 0;
  // Returns when every body has returned. The first exception a body throws is rethrown here; the
  // remaining indices are then skipped. Not reentrant.
  virtual void parallel_for(size_t count, const Body& body) = 0;
};

// An Executor with threads of its own; the caller is worker 0. Error(kFailed) where the system does
// not grant as many.
class ThreadPool final : public Executor {
 public:
  explicit ThreadPool(int workers);
  ~ThreadPool() override;
  int workers() const override;
  void parallel_for(size_t count, const Body& body) override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Physical cores that this process may use: hyper-threads of one core count once.
int physical_cores();

}  // namespace m2
