#include "core/machine.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace m2 {
namespace {

namespace fs = std::filesystem;

// A tree as the kernel shows it.
class MachineTest : public testing::Test {
 protected:
  void SetUp() override {
    root_ = testing::TempDir() + "machine";
    fs::remove_all(root_);
  }
  void write(const std::string& path, const std::string& text) {
    fs::create_directories((root_ + path).substr(0, (root_ + path).rfind('/')));
    std::ofstream(root_ + path) << text;
  }
  std::string root_;
};

TEST_F(MachineTest, ReadsWhatTheKernelStates) {
  write("/proc/cpuinfo",
        "processor\t: 0\nmodel name\t: A: processor\nflags\t\t: fpu avx2 fma\n"
        "\nprocessor\t: 1\nmodel name\t: another\n");
  write("/proc/meminfo", "MemTotal:       1000 kB\nMemFree: 5 kB\nMemAvailable:  400 kB\n");
  write("/sys/fs/cgroup/cpu.max", "150000 100000\n");
  write("/sys/fs/cgroup/memory.max", "512000\n");
  write("/sys/fs/cgroup/memory.current", "300000\n");
  write("/sys/fs/cgroup/memory.stat", "anon 5\nfile 120000\ninactive_file 100000\n");
  write("/sys/kernel/mm/transparent_hugepage/enabled", "always madvise [never]\n");
  write("/sys/devices/system/cpu/cpu0/cache/index0/level", "1\n");
  write("/sys/devices/system/cpu/cpu0/cache/index0/type", "Data\n");
  write("/sys/devices/system/cpu/cpu0/cache/index0/size", "48K\n");
  const Machine machine = describe_machine(root_);
  EXPECT_EQ(machine.processor, "A: processor");
  EXPECT_TRUE(machine.has("avx2"));
  EXPECT_FALSE(machine.has("avx"));
  EXPECT_EQ(machine.memory, 1024000u);
  EXPECT_EQ(machine.available_memory, 409600u);
  EXPECT_EQ(machine.memory_limit, 512000u);
  EXPECT_EQ(machine.memory_in_use, 200000u);
  EXPECT_EQ(machine.processor_quota, 1.5);
  EXPECT_EQ(machine.huge_pages, "never");
  ASSERT_EQ(machine.caches.size(), 1u);
  EXPECT_EQ(machine.caches[0].bytes, 48u * 1024);
}

TEST_F(MachineTest, ReadsControlGroupsOfVersion1) {
  write("/proc/meminfo", "MemTotal: 1000 kB\n");
  write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "512000\n");
  write("/sys/fs/cgroup/memory/memory.usage_in_bytes", "300000\n");
  write("/sys/fs/cgroup/memory/memory.stat", "inactive_file 7\ntotal_inactive_file 400000\n");
  const Machine machine = describe_machine(root_);
  EXPECT_EQ(machine.memory_limit, 512000u);
  EXPECT_EQ(machine.memory_in_use, 0u);  // no less than nothing
}

TEST_F(MachineTest, LeavesOutWhatItDoesNotState) {
  write("/proc/meminfo", "MemTotal: 1000 kB\n");
  write("/sys/fs/cgroup/cpu.max", "max 100000\n");
  write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  const Machine machine = describe_machine(root_);
  EXPECT_EQ(machine.processor, "");
  EXPECT_EQ(machine.processor_quota, 0);
  EXPECT_EQ(machine.memory_limit, 0u);
  EXPECT_EQ(machine.huge_pages, "");
  EXPECT_TRUE(machine.caches.empty());
}

TEST_F(MachineTest, OfThisProcessHasAProcessor) {
  EXPECT_GE(describe_machine().usable_processors, 1);
}

}  // namespace
}  // namespace m2
