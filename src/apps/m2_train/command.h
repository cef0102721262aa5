// apps/m2_train: the program m2-train, which `m2 train` and `m2 bench train` hand over to: all that
// needs libtorch. Uses train and the common ground.
#pragma once

#include <CLI/CLI.hpp>

namespace m2 {

// Errors are the program m2's: a user sees one.
inline constexpr char kProgram[] = "m2";

// What each sub-command adds; its callback does the work and may leave another exit code in
// `status`.
void add_mlm(CLI::App& app, int& status);
void add_bench(CLI::App& app);

// --threads, or M2_THREADS; 0: one a physical core.
void add_threads(CLI::App& command, int& threads);

}  // namespace m2
