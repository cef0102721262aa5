#include "cli/interrupt.h"

#include <csignal>

#include "core/error.h"

namespace m2 {
namespace {

volatile std::sig_atomic_t stop_requested = 0;

void request_stop(int) {
  stop_requested = 1;
}

}  // namespace

void watch_interrupt() {
  // Without SA_RESTART, so that a read that waits for input returns.
  struct sigaction action{};
  action.sa_handler = request_stop;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
}

bool interrupted() {
  return stop_requested != 0;
}

void stop_if_interrupted() {
  if (interrupted()) throw Error(ErrorKind::kInterrupted, "interrupted");
}

}  // namespace m2
