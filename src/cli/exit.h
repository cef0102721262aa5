// cli: what a command line program shows: the error line, progress, output files, interruption.
// Uses core.
#pragma once

#include <functional>
#include <string>

namespace m2 {

// Runs `body` and gives the process's exit code. An Error or any other exception becomes one line
// on stderr, "PROGRAM: error: …", and its code: 1 the work failed, 2 the command was wrong, 3 a
// file was missing or bad, 130 interrupted.
int run_guarded(const std::string& program, const std::function<void()>& body);

// Messages of the library to stderr: warnings always, the rest when `verbose`.
void log_to_stderr(const std::string& program, bool verbose);

}  // namespace m2
