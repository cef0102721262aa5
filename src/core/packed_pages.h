// Memory for many blocks that live long and are read often, such as weights: side by side on huge
// pages, where each block on pages of its own would cost a walk of the page table every 4 KiB (on a
// virtual machine two nested ones).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace m2 {

// 64-byte aligned. A block's chunk lives as long as any block in it. Thread-safe. Throws
// MemoryError.
std::shared_ptr<uint8_t> allocate_packed(size_t bytes);

}  // namespace m2
