#include "checkpoint/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/error.h"
#include "core/text.h"

namespace m2 {

namespace {

// False where a process that held the lock has removed the file since it was opened.
bool is_file(int file, const std::filesystem::path& path) {
  struct stat opened{}, there{};
  return fstat(file, &opened) == 0 && stat(path.c_str(), &there) == 0 &&
         opened.st_dev == there.st_dev && opened.st_ino == there.st_ino;
}

}  // namespace

FolderLock::FolderLock(const std::filesystem::path& folder, const std::string& does)
    : folder_(folder), path_(folder / ".lock") {
  std::error_code no_folder;
  made_folder_ = std::filesystem::create_directories(folder_, no_folder);
  if (no_folder) {
    throw failed_error(concat(folder_.string(), ": cannot be made: ", no_folder.message()));
  }
  file_ = open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (file_ < 0) {
    throw failed_error(concat(path_.string(), ": cannot be made: ", std::strerror(errno)));
  }
  const int problem = flock(file_, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
  if (problem == 0 && is_file(file_, path_)) return;
  close(file_);
  if (problem == 0 || problem == EWOULDBLOCK) {
    throw failed_error(concat(folder_.string(), ": another process ", does, " in this folder"));
  }
  throw failed_error(concat(path_.string(), ": cannot be locked: ", std::strerror(problem)));
}

FolderLock::~FolderLock() {
  std::error_code ignored;
  std::filesystem::remove(path_, ignored);
  if (made_folder_) std::filesystem::remove(folder_, ignored);  // of no effect on a full one
  close(file_);
}

}  // namespace m2
