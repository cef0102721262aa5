// What every fuzzer of a reader does: read the input, touch all it gave, take no error but Error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "checkpoint/tensor_file.h"
#include "core/error.h"

namespace m2 {

// Runs `read`. Error(kInput) is how a reader refuses; anything else thrown ends the fuzzer.
template <class Read>
int fuzz_reader(Read read) {
  try {
    read();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kInput) throw;
  }
  return 0;
}

inline std::span<const std::byte> fuzz_bytes(const uint8_t* data, size_t size) {
  return std::as_bytes(std::span(data, size));
}

// Reads every byte of a tensor, so that the sanitizer sees a view that lies.
inline void touch(const TensorView& tensor) {
  const auto* bytes = static_cast<const volatile unsigned char*>(tensor.data);
  for (size_t i = 0; i < tensor.bytes(); ++i) static_cast<void>(bytes[i]);
}

inline void touch(const TensorFile& file) {
  for (const std::string& name : file.names()) touch(*file.find(name));
}

}  // namespace m2
