// The folder of a model that a command makes.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace m2 {

// Files appear in it one by one, each when it is whole; until commit() the destructor removes them
// and the folders that were made for them. Errors of writing are Error(kFailed).
class NewFolder {
 public:
  // Error(kUsage) when `path` is empty or holds a model's files already.
  explicit NewFolder(const std::string& path);
  ~NewFolder();
  NewFolder(const NewFolder&) = delete;
  NewFolder& operator=(const NewFolder&) = delete;

  // The path for a file of that name, which the caller writes; the folders above it are made.
  // Error(kUsage) when there is such a file: nothing is overwritten.
  std::filesystem::path add(const std::filesystem::path& name);
  void write(const std::filesystem::path& name, const std::string& text);
  void copy(const std::filesystem::path& from, const std::filesystem::path& name);
  void commit() { committed_ = true; }

 private:
  void make_folder(const std::filesystem::path& folder);

  std::filesystem::path path_;
  std::vector<std::filesystem::path> made_;  // files and folders, each after what it lies in
  bool committed_ = false;
};

}  // namespace m2
