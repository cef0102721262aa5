// at::parallel_for on libtorch's threads. Without OpenMP in the compiler's flags its header's loop
// runs on the calling thread alone, and says nothing.
#pragma once

#include <ATen/Parallel.h>

#ifndef INTRA_OP_PARALLEL
#error "compile with OpenMP, as target m2_torch does"
#endif
