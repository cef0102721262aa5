// Memory of this process and what it may have.
#pragma once

#include <cstdint>

namespace m2::train {

// Gives back what malloc keeps free, and counts the peak anew from here; where the system does not
// let it, the peak stays that of the whole process.
void reset_peak_memory();

// The largest resident memory since then, and that of now, in bytes.
int64_t peak_resident_memory();
int64_t resident_memory();

// What this process may grow to: what it has and what the machine, or its control group where that
// is less, has left. In bytes.
int64_t memory_ceiling();

}  // namespace m2::train
