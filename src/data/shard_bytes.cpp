#include <zlib.h>

#include <algorithm>
#include <cstring>

#include "core/error.h"
#include "core/text.h"
#include "data/shard_header.h"
#include "data/token_shards.h"

namespace m2 {
namespace {

ShardHeader header_of(const ShardContent& content, size_t samples, size_t tokens) {
  const SpecialTokenIds& special = content.vocabulary.special;
  ShardHeader header;
  header.version = kDatasetVersion;
  header.token_bytes = content.vocabulary.size <= kLargestNarrowVocabulary ? 2 : 4;
  header.samples = samples;
  header.tokens = tokens;
  header.length = static_cast<uint32_t>(content.length);
  header.vocabulary_size = static_cast<uint32_t>(content.vocabulary.size);
  header.vocabulary_hash = content.vocabulary.hash;
  header.cls = special.cls;
  header.sep = special.sep;
  header.pad = special.pad;
  header.mask = special.mask;
  header.unk = special.unk;
  header.block_bytes = kShardBlockBytes;
  return header;
}

void put_tokens(std::span<const int32_t> ids, size_t token_bytes, std::byte* out) {
  if (token_bytes == sizeof(int32_t)) {
    std::memcpy(out, ids.data(), ids.size_bytes());
    return;
  }
  for (const int32_t id : ids) {
    const uint16_t narrow = static_cast<uint16_t>(id);
    std::memcpy(out, &narrow, sizeof(narrow));
    out += sizeof(narrow);
  }
}

}  // namespace

uint32_t checksum(std::span<const std::byte> bytes) {
  const auto* data = reinterpret_cast<const Bytef*>(bytes.data());
  return static_cast<uint32_t>(crc32_z(crc32_z(0, nullptr, 0), data, bytes.size()));
}

std::vector<std::byte> shard_bytes(const ShardContent& content, std::span<const uint32_t> offsets,
                                   std::span<const int32_t> ids) {
  M2_CHECK(offsets.size() >= 2 && offsets.back() == ids.size());
  ShardHeader header = header_of(content, offsets.size() - 1, ids.size());
  const ShardLayout layout = layout_of(header);
  std::vector<std::byte> bytes(layout.end);
  const std::span<std::byte> all(bytes);
  std::memcpy(bytes.data() + sizeof(header), offsets.data(), offsets.size_bytes());
  put_tokens(ids, header.token_bytes, bytes.data() + layout.token_part);
  for (uint64_t block = 0; block < layout.blocks; ++block) {
    const uint64_t begin = layout.token_part + block * kShardBlockBytes;
    const uint32_t sum =
        checksum(all.subspan(begin, std::min<uint64_t>(kShardBlockBytes, layout.end - begin)));
    std::memcpy(bytes.data() + layout.block_checksums + block * sizeof(sum), &sum, sizeof(sum));
  }
  header.tables_checksum =
      checksum(all.subspan(sizeof(header), layout.token_part - sizeof(header)));
  std::memcpy(bytes.data(), &header, sizeof(header));
  header.header_checksum = checksum(all.first(offsetof(ShardHeader, header_checksum)));
  std::memcpy(bytes.data(), &header, sizeof(header));
  return bytes;
}

}  // namespace m2
