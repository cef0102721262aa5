// How many files and connections this process may have open.
#pragma once

#include <cstddef>

namespace m2 {

// Asks the system for at least so many; returns how many it grants.
size_t raise_descriptor_limit(size_t wanted);

}  // namespace m2
