// How far a build of token shards has come: what --resume goes on from.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "documents/document_reader.h"

namespace m2 {

inline constexpr char kBuildStateFile[] = "unfinished.json";  // in the output folder

struct WrittenShard {
  std::string file;
  uint64_t samples = 0;
  uint64_t tokens = 0;
};

// One of the two splits.
struct SplitState {
  std::string name;  // its folder
  uint64_t documents = 0;
  std::vector<WrittenShard> shards;
  std::vector<int32_t> waiting;  // SampleAssembler's

  uint64_t samples() const;
  uint64_t tokens() const;
};

struct BuildState {
  // All that the result depends on, as an object: a build goes on only where it is the same.
  nlohmann::json plan;
  DocumentPosition position;     // of the first document that is not in a shard
  uint64_t empty_documents = 0;  // passed over: without a token
  SplitState train{"train", 0, {}, {}}, validation{"val", 0, {}, {}};
};

// Writes it into `folder` in one step. Error(kFailed).
void save(const BuildState& state, const std::string& folder);
// What save() wrote, or nothing where there is none. Error(kInput) for a damaged one.
std::optional<BuildState> load_build_state(const std::string& folder);

// Error(kUsage) that names the first part in which the plans of a build and of its continuation
// differ.
void check_same_plan(const nlohmann::json& before, const nlohmann::json& now,
                     const std::string& folder);

}  // namespace m2
