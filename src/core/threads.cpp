#include "core/threads.h"

#include <sched.h>

#include <atomic>
#include <condition_variable>
#include <exception>
#include <fstream>
#include <mutex>
#include <set>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "core/error.h"
#include "core/text.h"

namespace m2 {

struct ThreadPool::State {
  std::mutex mutex;
  std::condition_variable start, finish;
  const Body* body = nullptr;  // guarded by mutex when it changes; constant while a loop runs
  size_t count = 0;
  uint64_t round = 0;  // counts loops, so that a worker joins each one once
  int running = 0;     // workers that have not left the current loop
  bool stop = false;
  std::exception_ptr error;
  std::atomic<size_t> next{0};
  std::vector<std::jthread> threads;

  void end() {
    {
      const std::lock_guard lock(mutex);
      stop = true;
    }
    start.notify_all();
  }

  void take_indices(int worker) {
    for (size_t index = next.fetch_add(1); index < count; index = next.fetch_add(1)) {
      try {
        (*body)(index, worker);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!error) error = std::current_exception();
        next.store(count);
      }
    }
  }

  void serve(int worker) {
    uint64_t seen = 0;
    std::unique_lock lock(mutex);
    while (true) {
      start.wait(lock, [&] { return stop || round != seen; });
      if (stop) return;
      seen = round;
      lock.unlock();
      take_indices(worker);
      lock.lock();
      if (--running == 0) finish.notify_one();
    }
  }
};

ThreadPool::ThreadPool(int workers) : state_(std::make_unique<State>()) {
  M2_CHECK(workers >= 1);
  try {
    for (int worker = 1; worker < workers; ++worker) {
      state_->threads.emplace_back([state = state_.get(), worker] { state->serve(worker); });
    }
  } catch (const std::system_error& error) {
    state_->end();  // those that started would be waited for without end
    throw failed_error(concat("the system grants only ", state_->threads.size() + 1, " of ",
                              workers, " threads (", error.what(), "); ask for fewer"));
  } catch (...) {
    state_->end();
    throw;
  }
}

ThreadPool::~ThreadPool() {
  state_->end();
}

int ThreadPool::workers() const {
  return static_cast<int>(state_->threads.size()) + 1;
}

void ThreadPool::parallel_for(size_t count, const Body& body) {
  State& state = *state_;
  if (count <= 1 || state.threads.empty()) {
    for (size_t index = 0; index < count; ++index) body(index, 0);
    return;
  }
  {
    const std::lock_guard lock(state.mutex);
    state.body = &body;
    state.count = count;
    state.error = nullptr;
    state.next.store(0);
    state.running = static_cast<int>(state.threads.size());
    ++state.round;
  }
  state.start.notify_all();
  state.take_indices(0);
  std::unique_lock lock(state.mutex);
  state.finish.wait(lock, [&] { return state.running == 0; });
  if (state.error) std::rethrow_exception(state.error);
}

int physical_cores() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) {
    return static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  }
  std::set<std::string> cores;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(static_cast<size_t>(cpu), &allowed)) continue;
    std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(cpu) +
                       "/topology/thread_siblings_list");
    std::string siblings;
    if (!std::getline(file, siblings)) siblings = std::to_string(cpu);
    cores.insert(siblings);
  }
  return std::max<int>(1, static_cast<int>(cores.size()));
}

}  // namespace m2
