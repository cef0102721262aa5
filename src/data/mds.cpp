#include "data/mds.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <nlohmann/json.hpp>
#include <utility>

#include "checkpoint/new_file.h"
#include "core/error.h"
#include "core/log.h"
#include "core/mapped_file.h"
#include "core/random.h"
#include "core/text.h"
#include "data/index_fields.h"
#include "data/text_tokens.h"
#include "documents/byte_source.h"

namespace m2 {

MdsShard::MdsShard(std::span<const std::byte> bytes, MdsColumns columns, uint64_t samples,
                   std::string path)
    : bytes_(bytes), columns_(std::move(columns)), samples_(samples), path_(std::move(path)) {
  constexpr uint64_t kNumber = sizeof(uint32_t);
  if (bytes_.size() < kNumber || samples_ > UINT32_MAX || number_at(0) != samples_ ||
      bytes_.size() < (samples_ + 2) * kNumber) {
    fail(concat("does not hold the ", samples_, " samples of its index.json"));
  }
  uint64_t before = (samples_ + 2) * kNumber;
  for (uint64_t i = 0; i <= samples_; ++i) {
    const uint64_t offset = number_at((i + 1) * kNumber);
    if (offset < before || offset > bytes_.size()) {
      fail(concat("has an offset ", offset, " out of order or beyond its ", bytes_.size(),
                  " bytes"));
    }
    before = offset;
  }
}

void MdsShard::fail(const std::string& what) const {
  throw input_error(concat(path_, ": ", what, "; make or download it again"));
}

uint32_t MdsShard::number_at(uint64_t byte) const {
  uint32_t value = 0;
  std::memcpy(&value, bytes_.data() + byte, sizeof(value));
  return value;
}

std::string_view MdsShard::text(uint64_t index) const {
  M2_CHECK(index < samples_);
  constexpr uint64_t kNumber = sizeof(uint32_t);
  const uint64_t end = number_at((index + 2) * kNumber);
  uint64_t size_at = number_at((index + 1) * kNumber);
  uint64_t varying = 0;
  for (const auto& size : columns_.sizes) varying += size ? 0u : 1u;
  uint64_t at = size_at + varying * kNumber;
  for (size_t column = 0; at <= end; ++column) {
    const bool varies = !columns_.sizes[column];
    const uint64_t size = varies ? number_at(size_at) : *columns_.sizes[column];
    size_at += varies ? kNumber : 0u;
    if (size > end - at) break;
    if (column == columns_.text) {
      return {reinterpret_cast<const char*>(bytes_.data() + at), size};
    }
    at += size;
  }
  fail(concat("sample ", index, " is shorter than its columns"));
}

namespace {

// A part of index.json's entry of a shard: a file of the folder and its size.
struct ShardFile {
  std::string path;
  uint64_t bytes = 0;

  bool is_there() const {
    std::error_code problem;
    return std::filesystem::file_size(path, problem) == bytes && !problem;
  }
};

ShardFile file_of(const nlohmann::json& entry, const std::string& folder,
                  const std::string& where) {
  return {index_file(entry, "basename", folder, where), index_number(entry, "bytes", where)};
}

MdsColumns columns_of(const nlohmann::json& entry, const std::string& where) {
  const nlohmann::json& names = index_list(entry, "column_names", where);
  const nlohmann::json& encodings = index_list(entry, "column_encodings", where);
  const nlohmann::json& sizes = index_list(entry, "column_sizes", where);
  if (names.size() != encodings.size() || names.size() != sizes.size()) {
    throw input_error(where + ": lists of columns differ in length");
  }
  MdsColumns columns;
  for (const nlohmann::json& size : sizes) {
    const bool fixed = size.is_number_unsigned() && size.get<uint64_t>() > 0;
    if ((!fixed && !size.is_null()) || (fixed && size.get<uint64_t>() > UINT32_MAX)) {
      throw input_error(where + ": \"column_sizes\" holds what is no size");
    }
    columns.sizes.push_back(fixed ? std::optional(size.get<uint32_t>()) : std::nullopt);
  }
  const auto found = std::find(names.begin(), names.end(), kMdsTextColumn);
  columns.text = static_cast<size_t>(found - names.begin());
  if (found == names.end() || encodings[columns.text] != "str") {
    throw input_error(
        concat(where, ": has no column \"", kMdsTextColumn, "\" of encoding \"str\""));
  }
  return columns;
}

// "zstd", "zstd:7", "gz:1" or null.
Compression compression_named(const nlohmann::json& entry, const std::string& where) {
  const auto found = entry.find("compression");
  if (found == entry.end() || found->is_null()) return Compression::kNone;
  const std::string& value = index_text(entry, "compression", where);
  const std::string name = value.substr(0, value.find(':'));
  if (name == "zstd") return Compression::kZstd;
  if (name == "gz") return Compression::kGzip;
  throw input_error(concat(where, ": shards compressed by \"", printable(name),
                           "\" are not read; zstd, gz and plain ones are"));
}

// One shard of a dataset, brought into memory when it is first wanted.
class LazyShard {
 public:
  LazyShard(const nlohmann::json& entry, const std::string& folder, const std::string& where)
      : columns_(columns_of(entry, where)), samples_(index_number(entry, "samples", where)) {
    if (index_text(entry, "format", where) != "mds" || index_number(entry, "version", where) != 2) {
      throw input_error(where + ": holds shards that are no MDS of version 2");
    }
    raw_ = file_of(entry.value("raw_data", nlohmann::json()), folder, where);
    compression_ = compression_named(entry, where);
    if (raw_.is_there()) {
      compression_ = Compression::kNone;
    } else if (compression_ != Compression::kNone) {
      packed_ = file_of(entry.value("zip_data", nlohmann::json()), folder, where);
    }
    const ShardFile& file = compression_ == Compression::kNone ? raw_ : packed_;
    if (!file.is_there()) {
      throw input_error(concat(file.path, ": is missing or has not the ", file.bytes,
                               " bytes of its index.json; copy or download it again"));
    }
  }

  uint64_t samples() const { return samples_; }
  const std::string& path() const { return raw_.path; }

  const MdsShard& get() {
    std::call_once(opened_, [this] {
      if (compression_ != Compression::kNone) expand();
      if (expanded_.empty()) mapped_ = std::make_unique<MappedFile>(raw_.path);
      shard_.emplace(mapped_ ? mapped_->bytes() : std::as_bytes(std::span(expanded_)), columns_,
                     samples_, raw_.path);
    });
    return *shard_;
  }

 private:
  void expand() {
    // Offsets are 32-bit, so a sound shard is no larger.
    if (raw_.bytes > UINT32_MAX) throw input_error(raw_.path + ": is larger than a shard can be");
    const auto source = open_bytes(packed_.path, compression_, raw_.bytes);
    std::vector<char> bytes(raw_.bytes + 1);
    size_t filled = 0;
    while (const size_t count = source->read(std::span(bytes).subspan(filled))) filled += count;
    if (filled != raw_.bytes) {
      throw input_error(concat(packed_.path, ": expands to ", filled,
                               " bytes where its index.json "
                               "says ",
                               raw_.bytes, "; download it again"));
    }
    bytes.pop_back();
    try {
      NewFile file(raw_.path);
      file.write(std::as_bytes(std::span(bytes)));
      file.commit();
    } catch (const Error& error) {
      log_warning(concat(error.what(), "; the shard is kept in memory"));
      expanded_ = std::move(bytes);
    }
  }

  MdsColumns columns_;
  uint64_t samples_;
  ShardFile raw_, packed_;
  Compression compression_ = Compression::kNone;  // of what has to be expanded
  std::once_flag opened_;
  std::unique_ptr<MappedFile> mapped_;
  std::vector<char> expanded_;
  std::optional<MdsShard> shard_;
};

class MdsDataset final : public Dataset {
 public:
  MdsDataset(const std::string& folder, const nlohmann::json& index, const DatasetOptions& options)
      : tokens_(*options.tokenizer),
        vocabulary_(vocabulary_of(*options.tokenizer)),
        frame_(sample_frame(vocabulary_.special, options.length)),
        fingerprint_(fnv1a(index.dump(), vocabulary_.hash)) {
    const std::string where = folder + "/index.json";
    for (const nlohmann::json& entry : index_list(index, "shards", where)) {
      shards_.push_back(std::make_unique<LazyShard>(entry, folder, where));
      const uint64_t before = ends_.empty() ? 0 : ends_.back();
      if (shards_.back()->samples() > UINT32_MAX) {
        throw input_error(where + ": a shard has more samples than there can be");
      }
      ends_.push_back(before + shards_.back()->samples());
    }
    if (ends_.empty() || ends_.back() == 0) throw input_error(where + ": holds no sample");
  }

  uint64_t samples() const override { return ends_.back(); }
  const Vocabulary& vocabulary() const override { return vocabulary_; }
  uint64_t fingerprint() const override { return fingerprint_; }

  void read(uint64_t index, std::vector<int32_t>& ids) const override {
    M2_CHECK(index < samples());
    const auto end = std::upper_bound(ends_.begin(), ends_.end(), index);
    const size_t shard = static_cast<size_t>(end - ends_.begin());
    const uint64_t sample = index - (shard == 0 ? 0 : ends_[shard - 1]);
    const std::string_view text = shards_[shard]->get().text(sample);
    try {
      ids = tokens_.first_ids(text, frame_.room);
    } catch (const Error& error) {
      throw Error(error.kind(),
                  concat(shards_[shard]->path(), ": sample ", sample, ": ", error.what()));
    }
    ids.insert(ids.begin(), frame_.cls);
    ids.push_back(frame_.sep);
  }

 private:
  TextTokens tokens_;
  Vocabulary vocabulary_;
  SampleFrame frame_;
  uint64_t fingerprint_;  // of the index, which has the shards' sizes and perhaps hashes
  std::vector<std::unique_ptr<LazyShard>> shards_;
  std::vector<uint64_t> ends_;  // samples up to the end of each shard
};

}  // namespace

std::unique_ptr<Dataset> open_mds(const std::string& folder, const nlohmann::json& index,
                                  const DatasetOptions& options) {
  if (options.tokenizer == nullptr) {
    throw input_error(folder +
                      ": holds texts (MDS), which need a vocabulary to be tokenised; name "
                      "one");
  }
  return std::make_unique<MdsDataset>(folder, index, options);
}

}  // namespace m2
