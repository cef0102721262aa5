#include "hub/cache_writer.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "core/error.h"
#include "core/log.h"
#include "core/text.h"

namespace m2 {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds kLockStep{50};

[[noreturn]] void fail(const fs::path& path, int problem) {
  throw failed_error(concat(path.string(), ": cannot be written: ", std::strerror(problem)));
}

// A name beside `path` that no other process uses.
fs::path temporary_beside(const fs::path& path) {
  const auto moment = std::chrono::steady_clock::now().time_since_epoch().count();
  return concat(path.string(), ".", getpid(), ".", moment, ".part");
}

void replace(const fs::path& temporary, const fs::path& path) {
  if (std::rename(temporary.c_str(), path.c_str()) == 0) return;
  const int problem = errno;
  std::remove(temporary.c_str());
  fail(path, problem);
}

// Whether the locked file is still the one at its path: the last holder may have removed it.
bool is_linked(int file) {
  struct stat status{};
  return fstat(file, &status) == 0 && status.st_nlink > 0;
}

}  // namespace

BlobLock::BlobLock(const std::string& path, const std::function<bool()>& interrupted) {
  constexpr mode_t kMode = 0666;  // less the process's umask
  make_folders(fs::path(path).parent_path().string());
  bool told = false;
  while (true) {
    if (file_.get() < 0) file_.reset(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kMode));
    if (file_.get() < 0) fail(path, errno);
    if (flock(file_.get(), LOCK_EX | LOCK_NB) == 0) {
      if (is_linked(file_.get())) return;
      file_.reset(-1);
      continue;
    }
    if (errno != EWOULDBLOCK && errno != EINTR) fail(path, errno);
    if (!told) log_info(concat("waiting for another process that holds ", path));
    told = true;
    if (interrupted && interrupted()) throw Error(ErrorKind::kInterrupted, "interrupted");
    std::this_thread::sleep_for(kLockStep);
  }
}

void make_folders(const std::string& folder) {
  std::error_code problem;
  fs::create_directories(folder, problem);
  if (problem) fail(folder, problem.value());
}

void link_blob(const std::string& snapshot, const std::string& name, const std::string& etag) {
  const fs::path link = fs::path(snapshot) / name;
  make_folders(link.parent_path().string());
  fs::path target = fs::path("..") / "..";
  for (auto slashes = std::count(name.begin(), name.end(), '/'); slashes > 0; --slashes) {
    target /= "..";
  }
  const fs::path temporary = temporary_beside(link);
  std::error_code problem;
  fs::create_symlink(target / "blobs" / etag, temporary, problem);
  if (problem) fail(link, problem.value());
  replace(temporary, link);
}

void write_small_file(const std::string& path, const std::string& contents) {
  make_folders(fs::path(path).parent_path().string());
  const fs::path temporary = temporary_beside(path);
  errno = 0;
  std::ofstream file(temporary, std::ios::binary);
  file << contents;
  file.close();
  if (!file) {
    const int problem = errno;
    std::remove(temporary.c_str());
    fail(path, problem);
  }
  replace(temporary, path);
}

}  // namespace m2
