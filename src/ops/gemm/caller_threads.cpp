#include "ops/gemm/caller_threads.h"

extern "C" int omp_get_max_threads();
extern "C" void omp_set_num_threads(int threads);

namespace m2 {

CallerThreads::CallerThreads() : before_(omp_get_max_threads()) {
  omp_set_num_threads(1);
}

CallerThreads::~CallerThreads() {
  omp_set_num_threads(before_);
}

}  // namespace m2
