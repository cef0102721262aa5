// Checks of options' numbers, with messages that fit a line.
#pragma once

#include <CLI/CLI.hpp>

namespace m2 {

CLI::Validator above_zero();
CLI::Validator not_negative();

}  // namespace m2
