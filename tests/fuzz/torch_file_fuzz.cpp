#include "checkpoint/torch_file.h"

#include "fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  m2::ZipLimits limits;
  limits.inflated_bytes = size_t{16} << 20;
  limits.check_crc = false;
  return m2::fuzz_reader(
      [&] { m2::touch(m2::TorchFile(m2::fuzz_bytes(data, size), "input", limits)); });
}
