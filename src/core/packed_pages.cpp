#include "core/packed_pages.h"

#include <algorithm>
#include <mutex>

#include "core/aligned_buffer.h"

namespace m2 {
namespace {

constexpr size_t kChunkBytes = size_t{32} << 20;
constexpr size_t kAlignment = 64;

using Chunk = AlignedBuffer<uint8_t>;

}  // namespace

std::shared_ptr<uint8_t> allocate_packed(size_t bytes) {
  static std::mutex mutex;
  static std::weak_ptr<Chunk> last;
  static size_t used = 0;
  const std::lock_guard lock(mutex);
  std::shared_ptr<Chunk> chunk = last.lock();
  if (!chunk || used + bytes > chunk->size()) {
    chunk = std::make_shared<Chunk>(std::max(bytes, kChunkBytes));
    last = chunk;
    used = 0;
  }
  uint8_t* block = chunk->data() + used;
  used += (bytes + kAlignment - 1) / kAlignment * kAlignment;
  return {std::move(chunk), block};
}

}  // namespace m2
