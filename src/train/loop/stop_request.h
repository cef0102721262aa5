// SIGINT and SIGTERM: the first asks the training to save and end, the second ends the process.
#pragma once

namespace m2::train {

void watch_stop_signals();
// SIGINT or SIGTERM once it came, else 0.
int stop_signal();

}  // namespace m2::train
