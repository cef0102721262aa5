#include "cli/interrupt.h"

#include <csignal>

namespace m2 {
namespace {

volatile std::sig_atomic_t stop_requested = 0;

void request_stop(int signal) {
  stop_requested = 1;
  std::signal(signal, SIG_DFL);
}

}  // namespace

void watch_interrupt() {
  std::signal(SIGINT, request_stop);
}

bool interrupted() {
  return stop_requested != 0;
}

}  // namespace m2
