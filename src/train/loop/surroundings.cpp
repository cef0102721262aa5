#include "train/loop/surroundings.h"

#include <dlfcn.h>
#include <torch/version.h>

#include <filesystem>

#include "core/error.h"
#include "core/machine.h"
#include "kernels/isa.h"
#include "torch_ops/gated_mlp.h"
#include "train/checkpoints/file_hashes.h"

namespace m2::train {
namespace {

// The shared library of the operators, which is built apart from the program.
std::filesystem::path operators_library() {
  Dl_info info{};
  const auto* address = reinterpret_cast<const void*>(&torch_ops::gelu_gate);
  M2_CHECK(dladdr(address, &info) != 0);
  return info.dli_fname;
}

}  // namespace

Surroundings describe_surroundings(int threads) {
  Surroundings surroundings;
  surroundings.version = M2_VERSION;
  // Sixteen digits of each are enough to tell builds apart.
  surroundings.build = sha256_of_file("/proc/self/exe").substr(0, 16) +
                       sha256_of_file(operators_library()).substr(0, 16);
  surroundings.libtorch = TORCH_VERSION;
  surroundings.processor = describe_machine().processor;
  surroundings.isa = isa_name(current_isa());
  surroundings.threads = threads;
  return surroundings;
}

}  // namespace m2::train
