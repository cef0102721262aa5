#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "data/shard_header.h"
#include "data/token_shards.h"
#include "fuzz_input.h"

namespace m2 {
namespace {

void put_checksum(std::vector<std::byte>& bytes, uint64_t at, std::span<const std::byte> of) {
  const uint32_t sum = checksum(of);
  std::memcpy(bytes.data() + at, &sum, sizeof(sum));
}

// The input with checksums that hold, where its header leaves room for them: what is behind them
// would never be reached otherwise.
std::vector<std::byte> with_checksums(std::span<const std::byte> input) {
  std::vector<std::byte> bytes(input.begin(), input.end());
  ShardHeader header;
  if (bytes.size() < sizeof(header)) return bytes;
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (header.samples <= kMostShardTokens && header.tokens <= kMostShardTokens &&
      header.token_bytes <= 4 && header.block_bytes == kShardBlockBytes) {
    const ShardLayout layout = layout_of(header);
    const std::span<const std::byte> all(bytes);
    if (layout.end == bytes.size()) {
      for (uint64_t block = 0; block < layout.blocks; ++block) {
        const uint64_t begin = layout.token_part + block * kShardBlockBytes;
        const uint64_t size = std::min<uint64_t>(kShardBlockBytes, layout.end - begin);
        put_checksum(bytes, layout.block_checksums + 4 * block, all.subspan(begin, size));
      }
      put_checksum(bytes, offsetof(ShardHeader, tables_checksum),
                   all.subspan(sizeof(header), layout.token_part - sizeof(header)));
    }
  }
  const uint64_t end = offsetof(ShardHeader, header_checksum);
  put_checksum(bytes, end, std::span<const std::byte>(bytes).first(end));
  return bytes;
}

void read_all(std::span<const std::byte> bytes) {
  const TokenShard shard(bytes, "input");
  std::vector<int32_t> ids;
  for (uint64_t i = 0; i < shard.samples(); ++i) {
    shard.read(i, ids);
    if (ids.empty() || static_cast<int64_t>(ids.size()) > shard.content().length) __builtin_trap();
  }
  shard.verify();
}

}  // namespace
}  // namespace m2

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto input = m2::fuzz_bytes(data, size);
  const std::vector<std::byte> as_it_is(input.begin(), input.end());
  m2::fuzz_reader([&] { m2::read_all(as_it_is); });
  const std::vector<std::byte> changed = m2::with_checksums(input);
  return m2::fuzz_reader([&] { m2::read_all(changed); });
}
