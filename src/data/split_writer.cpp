#include "data/split_writer.h"

#include <array>
#include <cstdio>
#include <filesystem>

#include "checkpoint/json.h"
#include "checkpoint/new_file.h"
#include "core/error.h"
#include "core/text.h"

namespace m2 {
namespace {

namespace fs = std::filesystem;

std::string shard_name(size_t number) {
  std::array<char, 32> name{};
  std::snprintf(name.data(), name.size(), "shard.%05zu.tokens", number);
  return name.data();
}

}  // namespace

std::string hash_text(uint64_t hash) {
  std::array<char, 17> text{};
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(hash));
  return text.data();
}

SplitWriter::SplitWriter(SplitState& state, const BuildOptions& options,
                         const ShardContent& content, const SampleFrame& frame)
    : state_(state),
      content_(content),
      folder_((fs::path(options.output) / state.name).string()),
      assembler_(frame, options.assembly) {
  for (const std::string& input : options.inputs) inputs_.push_back(json_file_name(input));
  assembler_.set_waiting(state.waiting);
}

void SplitWriter::add(std::span<const int32_t> ids, uint64_t hash) {
  ++state_.documents;
  assembler_.add(ids, hash, samples_);
}

void SplitWriter::write_shard() {
  state_.waiting = assembler_.waiting();
  if (samples_.samples() == 0) return;
  std::error_code problem;
  fs::create_directories(folder_, problem);
  if (problem) throw failed_error(concat(folder_, ": cannot be made: ", problem.message()));
  const std::string name = shard_name(state_.shards.size());
  write_new_file(folder_ + "/" + name, shard_bytes(content_, samples_.offsets, samples_.ids));
  state_.shards.push_back({name, samples_.samples(), samples_.ids.size()});
  samples_ = {};
}

void SplitWriter::write_index(const nlohmann::json& plan) const {
  nlohmann::ordered_json shards = nlohmann::ordered_json::array();
  for (const WrittenShard& shard : state_.shards) {
    shards.push_back({{"file", shard.file}, {"samples", shard.samples}, {"tokens", shard.tokens}});
  }
  nlohmann::json options = plan;
  options.erase("input files");
  const nlohmann::ordered_json index = {
      {"format", kDatasetFormat},
      {"version", kDatasetVersion},
      {"length", content_.length},
      {"vocabulary_size", content_.vocabulary.size},
      {"vocabulary_hash", hash_text(content_.vocabulary.hash)},
      {"documents", state_.documents},
      {"samples", state_.samples()},
      {"tokens", state_.tokens()},
      {"inputs", inputs_},
      {"options", options},
      {"shards", shards},
  };
  write_new_file(folder_ + "/index.json", index.dump(1) + "\n");
}

}  // namespace m2
