#include "data/build_state.h"

#include <filesystem>
#include <utility>

#include "checkpoint/json.h"
#include "checkpoint/new_file.h"
#include "core/error.h"
#include "core/text.h"
#include "data/index_fields.h"

namespace m2 {
namespace {

namespace fs = std::filesystem;

std::string path_in(const std::string& folder) {
  return (fs::path(folder) / kBuildStateFile).string();
}

nlohmann::json to_json(const SplitState& split) {
  nlohmann::json shards = nlohmann::json::array();
  for (const WrittenShard& shard : split.shards) {
    shards.push_back({{"file", shard.file}, {"samples", shard.samples}, {"tokens", shard.tokens}});
  }
  return {{"documents", split.documents}, {"shards", shards}, {"waiting", split.waiting}};
}

void read_split(const nlohmann::json& value, const std::string& where, SplitState& split) {
  split.documents = index_number(value, "documents", where);
  for (const nlohmann::json& shard : index_list(value, "shards", where)) {
    split.shards.push_back({index_text(shard, "file", where), index_number(shard, "samples", where),
                            index_number(shard, "tokens", where)});
  }
  for (const nlohmann::json& id : index_list(value, "waiting", where)) {
    if (!id.is_number_integer()) throw input_error(where + ": \"waiting\" holds what is no token");
    split.waiting.push_back(id.get<int32_t>());
  }
}

}  // namespace

uint64_t SplitState::samples() const {
  uint64_t sum = 0;
  for (const WrittenShard& shard : shards) sum += shard.samples;
  return sum;
}

uint64_t SplitState::tokens() const {
  uint64_t sum = 0;
  for (const WrittenShard& shard : shards) sum += shard.tokens;
  return sum;
}

void save(const BuildState& state, const std::string& folder) {
  const nlohmann::json value = {
      {"plan", state.plan},
      {"file", state.position.file},
      {"documents", state.position.documents},
      {"empty_documents", state.empty_documents},
      {state.train.name, to_json(state.train)},
      {state.validation.name, to_json(state.validation)},
  };
  write_new_file(path_in(folder), value.dump() + "\n");
}

std::optional<BuildState> load_build_state(const std::string& folder) {
  const std::string path = path_in(folder);
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return std::nullopt;
  const nlohmann::json value = read_json_object(path);
  BuildState state;
  state.plan = value.value("plan", nlohmann::json::object());
  state.position = {index_number(value, "file", path), index_number(value, "documents", path)};
  state.empty_documents = index_number(value, "empty_documents", path);
  for (SplitState* split : {&state.train, &state.validation}) {
    read_split(value.value(split->name, nlohmann::json()), path, *split);
  }
  return state;
}

void check_same_plan(const nlohmann::json& before, const nlohmann::json& now,
                     const std::string& folder) {
  for (const auto& [key, value] : now.items()) {
    const nlohmann::json other = before.is_object() ? before.value(key, nlohmann::json()) : before;
    if (other == value) continue;
    const bool shown = value.is_primitive() && other.is_primitive();
    throw usage_error(concat(
        folder, ": was begun with another ", key,
        shown ? concat(" (", printable(other.dump()), ", now ", printable(value.dump()), ")") : "",
        "; go on as it was begun, or name a new folder"));
  }
}

}  // namespace m2
