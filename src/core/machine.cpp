#include "core/machine.h"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>

namespace m2 {
namespace {

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

uint64_t leading_number(const std::string& text) {
  uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// "key : value", as in /proc/cpuinfo and /proc/meminfo; the first of that key.
std::string value_of(const std::string& path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(':');
    if (colon == line.npos || line.substr(0, line.find_last_not_of(" \t", colon - 1) + 1) != key) {
      continue;
    }
    const size_t start = line.find_first_not_of(" \t", colon + 1);
    return start == line.npos ? "" : line.substr(start);
  }
  return "";
}

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

std::vector<Cache> read_caches(const std::string& root) {
  std::vector<Cache> caches;
  for (int index = 0;; ++index) {
    const std::string folder =
        root + "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(index) + "/";
    const std::string level = first_line(folder + "level");
    if (level.empty()) return caches;
    const std::string size = first_line(folder + "size");
    const size_t unit = size.ends_with('K') ? 1024 : size.ends_with('M') ? 1024 * 1024 : 1;
    caches.push_back({static_cast<int>(leading_number(level)), first_line(folder + "type"),
                      leading_number(size) * unit});
  }
}

// The word in brackets of "always [madvise] never".
std::string chosen_word(const std::string& line) {
  const size_t open = line.find('['), close = line.find(']');
  return open == line.npos || close == line.npos ? "" : line.substr(open + 1, close - open - 1);
}

// "200000 100000" of control groups 2: time and period; or the two files of version 1.
double read_quota(const std::string& root) {
  const std::vector<std::string> both = words_of(first_line(root + "/sys/fs/cgroup/cpu.max"));
  std::string time, period;
  if (both.size() == 2) {
    time = both[0];
    period = both[1];
  } else {
    time = first_line(root + "/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
    period = first_line(root + "/sys/fs/cgroup/cpu/cpu.cfs_period_us");
  }
  const uint64_t numerator = leading_number(time), denominator = leading_number(period);
  return denominator == 0 ? 0 : static_cast<double>(numerator) / static_cast<double>(denominator);
}

// Version 2 of control groups, or 1: what a group uses, less what "inactive_file" in its statistics
// says could go.
uint64_t read_memory_in_use(const std::string& root) {
  const std::string group = root + "/sys/fs/cgroup/";
  uint64_t used = leading_number(first_line(group + "memory.current"));
  std::string statistics = group + "memory.stat", idle = "inactive_file";
  if (used == 0) {
    used = leading_number(first_line(group + "memory/memory.usage_in_bytes"));
    statistics = group + "memory/memory.stat";
    idle = "total_inactive_file";
  }
  std::ifstream file(statistics);
  uint64_t bytes = 0;
  for (std::string key; file >> key >> bytes;) {
    if (key == idle) return used - std::min(used, bytes);
  }
  return used;
}

int count_usable() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  return sched_getaffinity(0, sizeof(allowed), &allowed) == 0 ? CPU_COUNT(&allowed) : 0;
}

}  // namespace

bool Machine::has(const std::string& feature) const {
  return std::find(features.begin(), features.end(), feature) != features.end();
}

Machine describe_machine(const std::string& root) {
  constexpr uint64_t kKibi = 1024;
  const std::string cpuinfo = root + "/proc/cpuinfo", meminfo = root + "/proc/meminfo";
  Machine machine;
  machine.processor = value_of(cpuinfo, "model name");
  machine.features = words_of(value_of(cpuinfo, "flags"));
  machine.usable_processors = count_usable();
  machine.processor_quota = read_quota(root);
  machine.caches = read_caches(root);
  machine.memory = leading_number(value_of(meminfo, "MemTotal")) * kKibi;
  machine.available_memory = leading_number(value_of(meminfo, "MemAvailable")) * kKibi;
  uint64_t limit = leading_number(first_line(root + "/sys/fs/cgroup/memory.max"));
  if (limit == 0) {
    limit = leading_number(first_line(root + "/sys/fs/cgroup/memory/memory.limit_in_bytes"));
  }
  // Without a limit version 1 states a number larger than any memory.
  if (limit < machine.memory) machine.memory_limit = limit;
  if (machine.memory_limit > 0) machine.memory_in_use = read_memory_in_use(root);
  machine.huge_pages =
      chosen_word(first_line(root + "/sys/kernel/mm/transparent_hugepage/enabled"));
  return machine;
}

}  // namespace m2
