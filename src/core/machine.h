// What the machine has, as the operating system states it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace m2 {

struct Cache {
  int level = 0;
  std::string type;  // "Data", "Instruction", "Unified"
  size_t bytes = 0;
};

// Members that the system does not state are empty, or 0.
struct Machine {
  std::string processor;
  std::vector<std::string> features;  // the kernel's names: avx512f, avx512_vnni, …
  int usable_processors = 0;          // that this process may run on
  double processor_quota = 0;         // of its control group, in processors
  std::vector<Cache> caches;          // of the first processor
  uint64_t memory = 0;                // in bytes
  uint64_t available_memory = 0;
  uint64_t memory_limit = 0;   // of its control group
  uint64_t memory_in_use = 0;  // of that, by all processes of the group, idle file caches aside
  std::string huge_pages;      // "always", "madvise" or "never"

  bool has(const std::string& feature) const;
};

// `root` is "" but in tests, where it holds a tree with proc/ and sys/.
Machine describe_machine(const std::string& root = "");

}  // namespace m2
