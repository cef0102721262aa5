#include "checkpoint/pickle.h"

#include "checkpoint/torch_pickle.h"
#include "fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return m2::fuzz_reader([&] {
    const m2::Pickle pickle = m2::read_pickle(m2::fuzz_bytes(data, size), "input");
    m2::unknown_globals(pickle);
    m2::find_torch_weights(pickle, "input");
  });
}
