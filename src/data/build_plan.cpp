#include "data/build_plan.h"

#include <filesystem>

#include "checkpoint/json.h"
#include "core/error.h"
#include "core/text.h"
#include "data/index_fields.h"
#include "data/split_writer.h"
#include "data/token_shards.h"

namespace m2 {
namespace {

namespace fs = std::filesystem;

constexpr char kFiles[] = "input files";

// Files of a killed writer: NewFile's temporaries.
void remove_leftovers(const fs::path& folder) {
  std::error_code problem;
  for (fs::directory_iterator at(folder, problem), end; !problem && at != end;
       at.increment(problem)) {
    std::error_code ignored;
    const std::string name = at->path().filename().string();
    const bool ours = name.starts_with("shard.") || name.starts_with("index.json.") ||
                      name.starts_with(kBuildStateFile);
    if (ours && name.ends_with(".part")) fs::remove(at->path(), ignored);
  }
}

SplitReport report_of(const nlohmann::json& index, const std::string& where) {
  return {index_number(index, "documents", where), index_number(index, "samples", where),
          index_number(index, "tokens", where)};
}

}  // namespace

nlohmann::json build_plan(const BuildOptions& options, const Vocabulary& vocabulary,
                          const std::vector<InputFile>& files) {
  nlohmann::json list = nlohmann::json::array();
  for (const InputFile& file : files) {
    list.push_back({json_file_name(file.path), file.bytes, file.modified_ns});
  }
  return {
      {"format version", kDatasetVersion},
      {"vocabulary", hash_text(vocabulary.hash)},
      {"length", options.length},
      {"valid fraction", options.valid_fraction},
      {"truncate", options.assembly.truncate},
      {"share of short documents to concatenate", options.assembly.concatenate_share},
      {"shard tokens", options.shard_tokens},
      {kFiles, list},
  };
}

std::optional<BuildReport> report_of_whole(const BuildOptions& options,
                                           const nlohmann::json& plan) {
  const BuildState names;
  const fs::path output(options.output);
  const fs::path train = output / names.train.name / "index.json";
  const fs::path validation = output / names.validation.name / "index.json";
  std::error_code ignored;
  // A state beside it: its last step has not ended.
  if (!fs::exists(train, ignored) || fs::exists(output / kBuildStateFile, ignored)) {
    return std::nullopt;
  }
  if (!options.resume) {
    throw usage_error(options.output + ": holds data already; name a new folder");
  }
  const nlohmann::json index = read_json_object(train.string());
  nlohmann::json options_now = plan;
  options_now.erase(kFiles);
  check_same_plan(index.value("options", nlohmann::json::object()), options_now, options.output);
  BuildReport report;
  report.was_whole = true;
  report.train = report_of(index, train.string());
  if (fs::exists(validation, ignored)) {
    report.validation = report_of(read_json_object(validation.string()), validation.string());
  }
  return report;
}

BuildState begin_or_resume(const BuildOptions& options, const nlohmann::json& plan) {
  std::optional<BuildState> found = load_build_state(options.output);
  if (found && !options.resume) {
    throw usage_error(options.output +
                      ": holds an unfinished build; go on with --resume, or name "
                      "a new folder");
  }
  if (found) {
    check_same_plan(found->plan, plan, options.output);
  } else {
    found.emplace().plan = plan;
  }
  const fs::path output(options.output);
  for (const fs::path& folder :
       {output, output / found->train.name, output / found->validation.name}) {
    if (options.resume) remove_leftovers(folder);
  }
  return *found;
}

}  // namespace m2
