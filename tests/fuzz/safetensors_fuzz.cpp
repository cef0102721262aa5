#include "checkpoint/safetensors.h"

#include "fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return m2::fuzz_reader(
      [&] { m2::touch(m2::SafetensorsFile(m2::fuzz_bytes(data, size), "input")); });
}
