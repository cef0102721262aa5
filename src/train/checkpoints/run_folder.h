// The folder of one run.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "checkpoint/folder_lock.h"

namespace m2::train {

// Held by one process at a time.
class RunFolder {
 public:
  // What is done where the folder holds a run already.
  enum class Existing { kRefuse, kKeep };

  // Makes the folder, and removes what a killed run left unfinished in it. Error(kFailed) where
  // another process trains in it or it cannot be made; Error(kUsage) for kRefuse, saying what may
  // be set.
  RunFolder(const std::string& path, Existing existing);
  // Removes the run that it holds, all but configuration and vocabulary, which a new run replaces.
  void empty() const;

  std::filesystem::path checkpoints() const { return path_ / "checkpoints"; }
  std::filesystem::path model() const { return path_ / "model"; }
  std::filesystem::path metrics() const { return path_ / "metrics.jsonl"; }
  std::filesystem::path tensorboard() const { return path_ / "tensorboard"; }
  std::filesystem::path vocabulary() const { return path_ / "vocabulary"; }
  std::filesystem::path configuration() const { return path_ / "config.yaml"; }

 private:
  bool holds_run() const;

  std::filesystem::path path_;
  FolderLock lock_;
};

// Copies a tokenizer, a folder's or a file, into `folder` under the names that a model folder has
// for its files; returns the copies. Error(kFailed).
std::vector<std::string> keep_vocabulary(const std::string& tokenizer,
                                         const std::filesystem::path& folder);

}  // namespace m2::train
