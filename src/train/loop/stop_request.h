// SIGINT, SIGTERM and SIGHUP: the first asks the training to save and end, the second ends the
// process. One that the process ignores from its start stays ignored.
#pragma once

namespace m2::train {

void watch_stop_signals();
// The first that came, else 0.
int stop_signal();

}  // namespace m2::train
