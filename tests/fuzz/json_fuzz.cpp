#include "checkpoint/json.h"

#include "fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return m2::fuzz_reader([&] {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    m2::parse_json(text, "input").dump();
  });
}
