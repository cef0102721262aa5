#include "train/loop/stop_request.h"

#include <csignal>

namespace m2::train {
namespace {

volatile std::sig_atomic_t received = 0;

void receive(int signal) {
  received = signal;
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

}  // namespace

void watch_stop_signals() {
  struct sigaction action{};
  action.sa_handler = receive;
  action.sa_flags = SA_RESTART;  // a file that is being written is written on
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

int stop_signal() {
  return received;
}

}  // namespace m2::train
