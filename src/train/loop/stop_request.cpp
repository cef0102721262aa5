#include "train/loop/stop_request.h"

#include <atomic>
#include <csignal>

namespace m2::train {
namespace {

constexpr int kStops[] = {SIGINT, SIGTERM, SIGHUP};

std::atomic<int> received{0};                          // a signal may come on any thread
static_assert(std::atomic<int>::is_always_lock_free);  // as a handler needs it

void receive(int signal) {
  received = signal;
  for (const int one : kStops) std::signal(one, SIG_DFL);
}

}  // namespace

void watch_stop_signals() {
  struct sigaction action{};
  action.sa_handler = receive;
  action.sa_flags = SA_RESTART;  // a file that is being written is written on
  for (const int one : kStops) {
    struct sigaction before{};
    sigaction(one, nullptr, &before);
    if (before.sa_handler != SIG_IGN) sigaction(one, &action, nullptr);  // nohup's stays ignored
  }
}

int stop_signal() {
  return received;
}

}  // namespace m2::train
