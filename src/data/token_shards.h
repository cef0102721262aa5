// The token shards that `m2 data build` writes: the file format and its reader (docs/data.md).
//
// All numbers are little-endian. A shard is, one after the other,
//   header   80 bytes (ShardHeader), the last four the CRC-32 of those before
//   tables   uint32 first token of each sample and the end of the last [samples + 1]; uint32
//            CRC-32 of each block of the token part [blocks]; zeros up to a multiple of 64 bytes
//   tokens   uint16 or uint32 [tokens], samples one after the other, special tokens included
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/dataset.h"

namespace m2 {

inline constexpr char kDatasetFormat[] = "m2-tokens";  // "format" of index.json
inline constexpr int kDatasetVersion = 1;
inline constexpr size_t kShardBlockBytes = 65536;  // each has a checksum of its own
// The ids of a vocabulary up to here take two bytes each.
inline constexpr int64_t kLargestNarrowVocabulary = 65536;

// What all shards of a dataset agree on.
struct ShardContent {
  int64_t length = 0;  // most tokens of a sample
  Vocabulary vocabulary;
};

// A shard in memory. The bytes stay the caller's; reading the same sample from many threads is
// safe. The header, the tables and each block of tokens are checked before they are used.
class TokenShard {
 public:
  // Error(kInput) that names `path`: no shard, another version, cut short, damaged.
  TokenShard(std::span<const std::byte> bytes, std::string path);
  ~TokenShard();
  TokenShard(TokenShard&&) noexcept;

  const ShardContent& content() const;
  uint64_t samples() const;
  // It holds the checksum of the tables, which hold those of the tokens.
  std::string_view header_bytes() const;
  uint64_t tokens() const;
  // The ids of sample `index` < samples(). Error(kInput) when its bytes are damaged or an id is
  // outside the vocabulary.
  void read(uint64_t index, std::vector<int32_t>& ids) const;
  // Checks every block.
  void verify() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The bytes of a shard. `offsets` are the first token of each sample and the end of the last;
// `ids` are within the vocabulary. Fewer than 2^32 tokens.
std::vector<std::byte> shard_bytes(const ShardContent& content, std::span<const uint32_t> offsets,
                                   std::span<const int32_t> ids);

// The dataset of a folder whose index.json is `index`. Up to kVerifiedAtOnce bytes are checked
// before this returns, more are checked block by block as they are read. Errors: open_dataset's.
inline constexpr uint64_t kVerifiedAtOnce = uint64_t{1} << 28;
std::unique_ptr<Dataset> open_token_shards(const std::string& folder, const nlohmann::json& index,
                                           const DatasetOptions& options);

}  // namespace m2
