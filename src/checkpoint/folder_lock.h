// One process at a time in a folder that it fills.
#pragma once

#include <filesystem>
#include <string>

namespace m2 {

// Holds FOLDER/.lock until its end, or the process's, however that comes. Makes the folder, which
// goes at the end if it is still empty. Error(kFailed): another process holds the lock, and `does`
// ("trains") in the folder, or there can be none.
class FolderLock {
 public:
  FolderLock(const std::filesystem::path& folder, const std::string& does);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  std::filesystem::path folder_, path_;
  bool made_folder_ = false;
  int file_ = -1;
};

}  // namespace m2
