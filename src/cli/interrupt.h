// Ctrl-C: the first asks the work to end in good order, and ends a wait for input at once; the
// second ends the process.
#pragma once

namespace m2 {

void watch_interrupt();
bool interrupted();
// Error(kInterrupted) after the first Ctrl-C.
void stop_if_interrupted();

}  // namespace m2
