#include "train/loop/resident_memory.h"

#include <malloc.h>

#include <algorithm>
#include <fstream>
#include <string>

#include "core/machine.h"

namespace m2::train {
namespace {

// A line "NAME:   123 kB" of /proc/self/status, in bytes; 0 where there is none.
int64_t status_bytes(const std::string& name) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    int64_t kilobytes = 0;
    if (word == name && status >> kilobytes) return kilobytes * 1024;
  }
  return 0;
}

}  // namespace

void reset_peak_memory() {
  malloc_trim(0);
  std::ofstream("/proc/self/clear_refs") << "5";
}

int64_t peak_resident_memory() {
  return status_bytes("VmHWM:");
}

int64_t resident_memory() {
  return status_bytes("VmRSS:");
}

int64_t memory_ceiling() {
  const Machine machine = describe_machine();
  uint64_t left = machine.available_memory;
  if (machine.memory_limit > 0) {
    const uint64_t used = std::min(machine.memory_in_use, machine.memory_limit);
    left = std::min(left, machine.memory_limit - used);
  }
  return static_cast<int64_t>(left) + resident_memory();
}

}  // namespace m2::train
