// Ctrl-C: the first asks the work to end in good order, the second ends the process.
#pragma once

namespace m2 {

void watch_interrupt();
bool interrupted();

}  // namespace m2
