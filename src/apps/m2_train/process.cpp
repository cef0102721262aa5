#include "apps/m2_train/process.h"

#include <ATen/Parallel.h>
#include <malloc.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "core/threads.h"

namespace m2 {

void prepare_process(char** argv) {
  constexpr int kNever = -1;
  constexpr int kTopPadBytes = 64 << 20;
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, kNever);
  mallopt(M_TOP_PAD, kTopPadBytes);
  std::signal(SIGXFSZ, SIG_IGN);
  setenv("MKL_DYNAMIC", "FALSE", 1);
  // Both are read before main: memory on huge pages where the system grants them, which makes a
  // step a tenth faster, and threads that do not come and go.
  const bool anew =
      std::getenv("OMP_DYNAMIC") != nullptr || std::getenv("GLIBC_TUNABLES") == nullptr;
  unsetenv("OMP_DYNAMIC");
  setenv("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1", 0);
  if (!anew) return;
  std::error_code problem;  // by its own path, so that the process keeps its name
  execv(std::filesystem::read_symlink("/proc/self/exe", problem).c_str(), argv);
}

int set_threads(int threads) {
  const int count = threads > 0 ? threads : physical_cores();
  at::set_num_threads(count);
  return count;
}

}  // namespace m2
