#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace m2 {

// CRC-32C (Castagnoli: polynomial 0x1EDC6F41, reflected, initial and final value all ones), as
// iSCSI's RFC 3720 defines it.
uint32_t crc32c(std::span<const std::byte> bytes);

}  // namespace m2
