#include "data/token_shards.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/error.h"
#include "core/mapped_file.h"
#include "core/random.h"
#include "core/text.h"
#include "data/index_fields.h"
#include "data/shard_header.h"

namespace m2 {

struct TokenShard::State {
  std::span<const std::byte> bytes;
  std::string path;
  ShardHeader header;
  ShardLayout layout;
  ShardContent content;
  std::span<const uint32_t> offsets;
  std::unique_ptr<std::atomic<bool>[]> verified;  // by block

  [[noreturn]] void fail(const std::string& what) const {
    throw input_error(concat(path, ": ", what, "; build the data again (m2 data build)"));
  }
  void read_header();
  void read_tables();
  void verify_block(uint64_t block) const;
  template <class Token>
  void read(uint64_t index, std::vector<int32_t>& ids) const;
};

void TokenShard::State::read_header() {
  if (bytes.size() < sizeof(header)) fail("is no shard of tokens, or cut short");
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (std::memcmp(header.magic, ShardHeader().magic, sizeof(header.magic)) != 0) {
    fail("is no shard of tokens");
  }
  if (checksum(bytes.first(offsetof(ShardHeader, header_checksum))) != header.header_checksum) {
    fail("is damaged: the checksum of its header does not hold");
  }
  if (header.version != kDatasetVersion) {
    fail(concat("has version ", header.version, " of the format, not ", kDatasetVersion));
  }
  const bool narrow = header.vocabulary_size <= kLargestNarrowVocabulary;
  if (header.token_bytes != (narrow ? sizeof(uint16_t) : sizeof(uint32_t)) ||
      header.block_bytes != kShardBlockBytes || header.samples < 1 ||
      header.samples > kMostShardTokens || header.tokens > kMostShardTokens || header.length < 1 ||
      header.length > INT32_MAX || header.vocabulary_size < 1 ||
      header.vocabulary_size > INT32_MAX) {
    fail("has a header that contradicts itself");
  }
  for (const int32_t id : {header.cls, header.sep, header.pad, header.mask, header.unk}) {
    if (id < -1 || id >= static_cast<int32_t>(header.vocabulary_size)) {
      fail(concat("has a special token ", id, " outside the vocabulary"));
    }
  }
  content.length = header.length;
  content.vocabulary = {header.vocabulary_size, header.vocabulary_hash, {}};
  content.vocabulary.special = {header.unk, header.cls, header.sep, header.pad, header.mask};
}

void TokenShard::State::read_tables() {
  layout = layout_of(header);
  if (bytes.size() != layout.end) {
    fail(concat("has ", bytes.size(), " bytes where its header makes it ", layout.end));
  }
  const auto tables = bytes.subspan(sizeof(header), layout.token_part - sizeof(header));
  if (checksum(tables) != header.tables_checksum) {
    fail("is damaged: the checksum of its tables does not hold");
  }
  offsets = {reinterpret_cast<const uint32_t*>(tables.data()), header.samples + 1};
  bool sound = offsets.front() == 0 && offsets.back() == header.tokens;
  for (size_t i = 0; sound && i < header.samples; ++i) {
    sound = offsets[i] < offsets[i + 1] && offsets[i + 1] - offsets[i] <= header.length;
  }
  if (!sound) fail("has samples that are empty or longer than its length");
  verified = std::make_unique<std::atomic<bool>[]>(layout.blocks);
}

void TokenShard::State::verify_block(uint64_t block) const {
  if (verified[block].load(std::memory_order_relaxed)) return;
  const uint64_t begin = layout.token_part + block * kShardBlockBytes;
  const uint64_t size = std::min<uint64_t>(kShardBlockBytes, layout.end - begin);
  uint32_t expected = 0;
  std::memcpy(&expected, bytes.data() + layout.block_checksums + block * sizeof(expected),
              sizeof(expected));
  if (checksum(bytes.subspan(begin, size)) != expected) {
    fail(concat("is damaged: the checksum of its bytes ", begin, " to ", begin + size,
                " does not hold"));
  }
  verified[block].store(true, std::memory_order_relaxed);
}

template <class Token>
void TokenShard::State::read(uint64_t index, std::vector<int32_t>& ids) const {
  const uint64_t begin = offsets[index], end = offsets[index + 1];
  const uint64_t last_block = (end * sizeof(Token) - 1) / kShardBlockBytes;
  for (uint64_t block = begin * sizeof(Token) / kShardBlockBytes; block <= last_block; ++block) {
    verify_block(block);
  }
  const auto* tokens = reinterpret_cast<const Token*>(bytes.data() + layout.token_part);
  ids.resize(end - begin);
  for (uint64_t i = begin; i < end; ++i) {
    if (tokens[i] >= header.vocabulary_size) {
      fail(
          concat("has a token ", tokens[i], " outside the vocabulary of ", header.vocabulary_size));
    }
    ids[i - begin] = static_cast<int32_t>(tokens[i]);
  }
}

TokenShard::TokenShard(std::span<const std::byte> bytes, std::string path)
    : state_(std::make_unique<State>()) {
  state_->bytes = bytes;
  state_->path = std::move(path);
  state_->read_header();
  state_->read_tables();
}

TokenShard::~TokenShard() = default;
TokenShard::TokenShard(TokenShard&&) noexcept = default;

const ShardContent& TokenShard::content() const {
  return state_->content;
}
uint64_t TokenShard::samples() const {
  return state_->header.samples;
}
uint64_t TokenShard::tokens() const {
  return state_->header.tokens;
}
std::string_view TokenShard::header_bytes() const {
  return {reinterpret_cast<const char*>(&state_->header), sizeof(ShardHeader)};
}

void TokenShard::read(uint64_t index, std::vector<int32_t>& ids) const {
  M2_CHECK(index < samples());
  if (state_->header.token_bytes == sizeof(uint16_t)) return state_->read<uint16_t>(index, ids);
  state_->read<uint32_t>(index, ids);
}

void TokenShard::verify() const {
  for (uint64_t block = 0; block < state_->layout.blocks; ++block) state_->verify_block(block);
}

namespace {

class TokenDataset final : public Dataset {
 public:
  TokenDataset(const std::string& folder, const nlohmann::json& index,
               const DatasetOptions& options) {
    const std::string where = folder + "/index.json";
    for (const nlohmann::json& entry : index_list(index, "shards", where)) {
      add_shard(folder, entry, where);
    }
    if (shards_.empty()) throw input_error(where + ": names no shard; build the data again");
    if (index_number(index, "version", where) != kDatasetVersion ||
        index_number(index, "length", where) !=
            static_cast<uint64_t>(shards_.front().content().length)) {
      throw input_error(where + ": is of other data than its shards; build the data again");
    }
    check(folder, options);
    verify_if_small();
  }

  uint64_t samples() const override { return ends_.back(); }

  void read(uint64_t index, std::vector<int32_t>& ids) const override {
    M2_CHECK(index < samples());
    const auto end = std::upper_bound(ends_.begin(), ends_.end(), index);
    const size_t shard = static_cast<size_t>(end - ends_.begin());
    shards_[shard].read(index - (shard == 0 ? 0 : ends_[shard - 1]), ids);
  }

  const Vocabulary& vocabulary() const override { return shards_.front().content().vocabulary; }

  uint64_t fingerprint() const override {
    uint64_t hash = fnv1a("");
    for (const TokenShard& shard : shards_) hash = fnv1a(shard.header_bytes(), hash);
    return hash;
  }

 private:
  void add_shard(const std::string& folder, const nlohmann::json& entry, const std::string& where) {
    const std::string path = index_file(entry, "file", folder, where);
    const auto& file = files_.emplace_back(std::make_unique<MappedFile>(path));
    const TokenShard& shard = shards_.emplace_back(file->bytes(), path);
    const ShardContent &content = shard.content(), &first = shards_.front().content();
    if (shard.samples() != index_number(entry, "samples", where) ||
        shard.tokens() != index_number(entry, "tokens", where) || content.length != first.length ||
        content.vocabulary.hash != first.vocabulary.hash ||
        content.vocabulary.size != first.vocabulary.size) {
      throw input_error(path +
                        ": is of another dataset than its index.json says; build the data "
                        "again (m2 data build)");
    }
    ends_.push_back(shard.samples() + (ends_.empty() ? 0 : ends_.back()));
  }

  void check(const std::string& folder, const DatasetOptions& options) const {
    const ShardContent& content = shards_.front().content();
    if (content.length > options.length) {
      throw input_error(concat(folder, ": has samples of up to ", content.length,
                               " tokens, more than the length ", options.length,
                               "; build it with that --length, or train at the longer one"));
    }
    if (options.tokenizer == nullptr) return;
    const Vocabulary expected = vocabulary_of(*options.tokenizer);
    if (expected.hash != content.vocabulary.hash) {
      throw input_error(concat(folder, ": was built with another vocabulary (",
                               content.vocabulary.size, " tokens) than the tokenizer's (",
                               expected.size, "); build it with this one"));
    }
  }

  void verify_if_small() const {
    uint64_t bytes = 0;
    for (const auto& file : files_) bytes += file->bytes().size();
    if (bytes > kVerifiedAtOnce) return;
    for (const TokenShard& shard : shards_) shard.verify();
  }

  std::vector<std::unique_ptr<MappedFile>> files_;
  std::vector<TokenShard> shards_;
  std::vector<uint64_t> ends_;  // samples up to the end of each shard
};

}  // namespace

std::unique_ptr<Dataset> open_token_shards(const std::string& folder, const nlohmann::json& index,
                                           const DatasetOptions& options) {
  return std::make_unique<TokenDataset>(folder, index, options);
}

}  // namespace m2
