// MDS, the shards of MosaicML streaming: texts that are tokenised when they are read.
//
// index.json lists shards; a shard (little-endian) is, one after the other,
//   uint32 samples; uint32 offsets [samples + 1] from the file's start; anything; the samples.
// A sample is the uint32 sizes of its columns of variable size, then all columns' bytes.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/dataset.h"

namespace m2 {

inline constexpr char kMdsTextColumn[] = "text";  // of encoding "str", UTF-8

// Bytes of each column, or none where they vary from sample to sample; which one is the text.
struct MdsColumns {
  std::vector<std::optional<uint32_t>> sizes;
  size_t text = 0;
};

// One shard in memory, plain; the bytes stay the caller's.
class MdsShard {
 public:
  // Error(kInput) that names `path` when it has not `samples` samples within its bytes.
  MdsShard(std::span<const std::byte> bytes, MdsColumns columns, uint64_t samples,
           std::string path);
  uint64_t samples() const { return samples_; }
  // The text of sample `index` < samples(), not looked into. Error(kInput) when it leaves its
  // sample.
  std::string_view text(uint64_t index) const;

 private:
  [[noreturn]] void fail(const std::string& what) const;
  uint32_t number_at(uint64_t byte) const;

  std::span<const std::byte> bytes_;
  MdsColumns columns_;
  uint64_t samples_;
  std::string path_;
};

// The dataset of a folder whose index.json is `index`: each text one sample, cut to the length.
// Shards of which only the compressed file is there (zstd or gz) are expanded when they are first
// read, into the file beside it that the index names, or into memory where that cannot be written.
// The index's hashes are not compared. Nothing is fetched. Errors: open_dataset's.
std::unique_ptr<Dataset> open_mds(const std::string& folder, const nlohmann::json& index,
                                  const DatasetOptions& options);

}  // namespace m2
