#include "core/aligned_buffer.h"

#include <sys/mman.h>

#include <cstdlib>

#include "core/error.h"
#include "core/text.h"

namespace m2 {
namespace {

constexpr size_t kHugePage = size_t{1} << 21;
constexpr size_t kVectorAlignment = 64;
// From here on a block is rounded up to huge pages: what is walked through again and again.
constexpr size_t kLeastHuge = kHugePage / 4;

}  // namespace

void* allocate_aligned(size_t bytes) {
  const bool huge = bytes >= kLeastHuge;
  const size_t alignment = huge ? kHugePage : kVectorAlignment;
  const size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  void* block = std::aligned_alloc(alignment, rounded == 0 ? alignment : rounded);
  if (block == nullptr) {
    throw MemoryError(concat("not enough memory: ", bytes_text(rounded),
                             " could not be allocated; try fewer or shorter texts at a time"));
  }
  if (huge) madvise(block, rounded, MADV_HUGEPAGE);
  return block;
}

void free_aligned(void* block) {
  std::free(block);
}

}  // namespace m2
