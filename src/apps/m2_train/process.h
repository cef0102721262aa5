// What the whole process needs before libtorch works in it.
#pragma once

namespace m2 {

// Keeps freed memory (page faults are dear), switches off the libraries' own choice of the number
// of threads, under which results would depend on the machine's load, and has a write beyond the
// system's limit on a file fail like one on a full disk. Starts the program anew where only that
// helps.
void prepare_process(char** argv);

// Gives libtorch that many threads, 0: one a physical core; returns how many.
int set_threads(int threads);

}  // namespace m2
