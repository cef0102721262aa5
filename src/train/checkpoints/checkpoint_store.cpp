#include "train/checkpoints/checkpoint_store.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <set>
#include <utility>

#include "core/error.h"
#include "core/log.h"
#include "core/text.h"
#include "train/checkpoints/file_hashes.h"
#include "train/checkpoints/run_state.h"
#include "train/checkpoints/whole_folder.h"

namespace m2::train {
namespace {

namespace fs = std::filesystem;

constexpr char kPrefix[] = "step-";

std::optional<double> evaluation_loss_of(const SavedCheckpoint& saved) {
  try {
    return read_run_state((saved.folder / kStateFile).string()).evaluation_loss;
  } catch (const Error&) {
    return std::nullopt;
  }
}

// The steps that prune() keeps.
std::set<int64_t> kept_steps(const std::vector<SavedCheckpoint>& newest_first, int64_t last,
                             int64_t best) {
  std::set<int64_t> kept;
  std::vector<std::pair<double, int64_t>> by_loss;
  for (const SavedCheckpoint& saved : newest_first) {
    if (last < 0 || static_cast<int64_t>(kept.size()) < last) kept.insert(saved.step);
    if (const auto loss = evaluation_loss_of(saved)) by_loss.emplace_back(*loss, saved.step);
  }
  std::sort(by_loss.begin(), by_loss.end());
  const auto wanted = std::min(by_loss.size(), static_cast<size_t>(std::max<int64_t>(best, 0)));
  for (size_t i = 0; i < wanted; ++i) kept.insert(by_loss[i].second);
  return kept;
}

}  // namespace

std::optional<int64_t> step_of_name(const std::string& name) {
  const std::string_view prefix = kPrefix;
  if (name.compare(0, prefix.size(), prefix) != 0) return std::nullopt;
  int64_t step = 0;
  const char* end = name.data() + name.size();
  const auto [stop, problem] = std::from_chars(name.data() + prefix.size(), end, step);
  if (problem != std::errc() || stop != end || step < 0) return std::nullopt;
  return step;
}

void CheckpointStore::clear_leftovers() const {
  train::clear_leftovers(folder_,
                         [](const std::string& name) { return step_of_name(name).has_value(); });
}

fs::path CheckpointStore::step_folder(int64_t step) const {
  return folder_ / concat(kPrefix, step);
}

bool CheckpointStore::holds(int64_t step) const {
  std::error_code ignored;
  return fs::is_directory(step_folder(step), ignored);
}

std::vector<SavedCheckpoint> CheckpointStore::list(int64_t up_to) const {
  std::vector<SavedCheckpoint> found;
  std::error_code problem;
  const fs::directory_iterator entries(folder_, problem);
  const bool is_missing =
      problem == std::errc::no_such_file_or_directory || problem == std::errc::not_a_directory;
  if (problem && !is_missing) {
    throw failed_error(concat(folder_.string(), ": cannot be read: ", problem.message()));
  }
  for (const auto& entry : entries) {
    const auto step = step_of_name(entry.path().filename().string());
    if (step && *step <= up_to && entry.is_directory()) found.push_back({*step, entry.path()});
  }
  std::sort(found.begin(), found.end(),
            [](const SavedCheckpoint& a, const SavedCheckpoint& b) { return a.step > b.step; });
  return found;
}

std::optional<SavedCheckpoint> CheckpointStore::newest_whole() const {
  const std::vector<SavedCheckpoint> all = list(std::numeric_limits<int64_t>::max());
  for (const SavedCheckpoint& saved : all) {
    const std::string damage = find_damage(saved.folder);
    if (damage.empty()) return saved;
    log_warning(concat(saved.folder.string(), ": is damaged and left alone: ", damage));
  }
  if (all.empty()) return std::nullopt;
  throw input_error(concat(folder_.string(),
                           ": holds no checkpoint that is whole; save_overwrite=true without "
                           "autoresume begins anew"));
}

void CheckpointStore::save(int64_t step,
                           const std::function<void(const fs::path& folder)>& write) const {
  replace_folder(step_folder(step), [&](const fs::path& part) {
    write(part);
    write_hash_list(part);
  });
}

double CheckpointStore::lowest_evaluation_loss(int64_t up_to) const {
  double lowest = std::numeric_limits<double>::infinity();
  for (const SavedCheckpoint& saved : list(up_to)) {
    lowest = std::min(lowest, evaluation_loss_of(saved).value_or(lowest));
  }
  return lowest;
}

void CheckpointStore::prune(int64_t up_to, int64_t last, int64_t best) const {
  const std::vector<SavedCheckpoint> all = list(up_to);
  const std::set<int64_t> kept = kept_steps(all, last, best);
  for (const SavedCheckpoint& saved : all) {
    if (kept.count(saved.step) == 0) remove_folder(saved.folder);
  }
}

}  // namespace m2::train
