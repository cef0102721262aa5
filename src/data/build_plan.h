// What a build is to do, and what is there of it already.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "data/build.h"
#include "data/build_state.h"
#include "data/dataset.h"

namespace m2 {

// All that the result depends on.
nlohmann::json build_plan(const BuildOptions& options, const Vocabulary& vocabulary,
                          const std::vector<InputFile>& files);

// Where the output folder holds a whole dataset: its report, when a resumed build has the same
// options; Error(kUsage) otherwise.
std::optional<BuildReport> report_of_whole(const BuildOptions& options, const nlohmann::json& plan);

// Where a build starts: at the beginning, or where the one in the output folder stands. Files that
// it had not ended are removed. Error(kUsage) when there is one and none was to be resumed, or its
// plan is another.
BuildState begin_or_resume(const BuildOptions& options, const nlohmann::json& plan);

}  // namespace m2
