// One split of a dataset as it is written: train/ or val/.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "data/build.h"
#include "data/build_state.h"
#include "data/sample_assembler.h"
#include "data/token_shards.h"

namespace m2 {

// A vocabulary's hash in index.json: 16 hexadecimal digits.
std::string hash_text(uint64_t hash);

class SplitWriter {
 public:
  // What is written is noted in `state`. All references outlive this.
  SplitWriter(SplitState& state, const BuildOptions& options, const ShardContent& content,
              const SampleFrame& frame);

  void add(std::span<const int32_t> ids, uint64_t hash);
  uint64_t pieces_of(size_t tokens) const { return assembler_.pieces_of(tokens); }
  // No document follows.
  void finish() { assembler_.finish(samples_); }
  bool is_empty() const { return state_.shards.empty() && samples_.samples() == 0; }

  // The samples since the last shard as the next, if there are any. Error(kFailed).
  void write_shard();
  // Makes the folder data. Error(kFailed).
  void write_index(const nlohmann::json& plan) const;

 private:
  SplitState& state_;
  const ShardContent& content_;
  std::string folder_;
  std::vector<std::string> inputs_;  // as index.json has them
  SampleAssembler assembler_;
  SampleList samples_;
};

}  // namespace m2
