// The checkpoints of a run: RUN/checkpoints/step-N, each a folder that is whole or not there.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace m2::train {

// Files of a checkpoint, beside those of a model folder (config.json, model.safetensors, the
// vocabulary), which make it one that `m2 embed` takes.
inline constexpr char kStateFile[] = "state.json";
inline constexpr char kOptimizerFile[] = "optimizer.safetensors";

struct SavedCheckpoint {
  int64_t step = 0;
  std::filesystem::path folder;
};

class CheckpointStore {
 public:
  // `folder` is RUN/checkpoints; made when something is saved.
  explicit CheckpointStore(std::filesystem::path folder) : folder_(std::move(folder)) {}

  bool holds(int64_t step) const;  // whole or not

  // Removes what a killed run left unfinished.
  void clear_leftovers() const;
  // Those of no later step than `up_to`, newest first; Error(kFailed) where the folder cannot be
  // read. What lies beyond the step of a run that goes on is damaged, and no matter to it until it
  // gets there.
  std::vector<SavedCheckpoint> list(int64_t up_to) const;
  // The newest one whose files have the bytes that were saved; each newer one that has not is named
  // in a warning. None in an empty store; Error(kInput) where there are some and none is whole.
  std::optional<SavedCheckpoint> newest_whole() const;

  // `write` fills an empty folder, which then is hashed, brought to disk and renamed to step-N,
  // taking an earlier one's place. What fails leaves the store as it was.
  void save(int64_t step,
            const std::function<void(const std::filesystem::path& folder)>& write) const;

  // The lowest evaluation loss that a checkpoint up to that step states; infinite where none does.
  double lowest_evaluation_loss(int64_t up_to) const;

  // Removes, of those up to that step, all but the `last` newest, -1: none, and the `best` of
  // lowest evaluation loss among those that state one.
  void prune(int64_t up_to, int64_t last, int64_t best) const;

 private:
  std::filesystem::path step_folder(int64_t step) const;

  std::filesystem::path folder_;
};

// The step of a folder named step-N; none for any other name.
std::optional<int64_t> step_of_name(const std::string& name);

}  // namespace m2::train
