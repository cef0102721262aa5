// The first bytes of a token shard (docs/data.md).
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace m2 {

static_assert(std::endian::native == std::endian::little, "files are read in place");

struct ShardHeader {
  char magic[8] = {'M', '2', 'T', 'O', 'K', 'E', 'N', 'S'};
  uint32_t version = 1;
  uint32_t token_bytes = 0;  // 2 or 4
  uint64_t samples = 0;
  uint64_t tokens = 0;
  uint32_t length = 0;
  uint32_t vocabulary_size = 0;
  uint64_t vocabulary_hash = 0;
  int32_t cls = -1, sep = -1, pad = -1, mask = -1, unk = -1;
  uint32_t block_bytes = 0;
  uint32_t tables_checksum = 0;  // CRC-32 from the header's end to the first token
  uint32_t header_checksum = 0;  // CRC-32 of all before it
};
static_assert(sizeof(ShardHeader) == 80 && offsetof(ShardHeader, header_checksum) == 76);

// Where the parts of a shard lie, in bytes from its start.
struct ShardLayout {
  uint64_t blocks = 0;
  uint64_t block_checksums = 0;
  uint64_t token_part = 0;
  uint64_t end = 0;
};

inline constexpr uint64_t kMostShardTokens = (uint64_t{1} << 32) - 1;
inline constexpr uint64_t kTokenPartAlignment = 64;

// Of a header whose samples and tokens are at most kMostShardTokens: nothing overflows.
inline ShardLayout layout_of(const ShardHeader& header) {
  ShardLayout layout;
  const uint64_t token_part_bytes = header.tokens * header.token_bytes;
  layout.blocks = (token_part_bytes + header.block_bytes - 1) / header.block_bytes;
  layout.block_checksums = sizeof(ShardHeader) + (header.samples + 1) * sizeof(uint32_t);
  const uint64_t tables_end = layout.block_checksums + layout.blocks * sizeof(uint32_t);
  layout.token_part =
      (tables_end + kTokenPartAlignment - 1) / kTokenPartAlignment * kTokenPartAlignment;
  layout.end = layout.token_part + token_part_bytes;
  return layout;
}

// CRC-32 as zlib, gzip and PNG have it: sees each flipped byte, is at hand everywhere, and takes a
// small part of the time that reading takes.
uint32_t checksum(std::span<const std::byte> bytes);

}  // namespace m2
