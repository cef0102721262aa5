#include "checkpoint/new_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "core/error.h"
#include "core/text.h"

namespace m2 {
namespace {

// Processes and threads that write one path at once must not share a temporary.
std::string temporary_name(const std::string& path) {
  static std::atomic<unsigned> count{0};
  return concat(path, ".", getpid(), "-", count++, ".part");
}

}  // namespace

NewFile::NewFile(const std::string& path) : path_(path), temporary_(temporary_name(path)) {
  file_ = open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (file_ < 0) fail(errno);
}

NewFile::~NewFile() {
  if (file_ >= 0) close(file_);
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

void NewFile::write(std::span<const std::byte> bytes) {
  // Larger single writes are cut by the kernel.
  constexpr size_t kLargest = size_t{1} << 30;
  while (!bytes.empty()) {
    const ssize_t count = ::write(file_, bytes.data(), std::min(bytes.size(), kLargest));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) fail(count < 0 ? errno : ENOSPC);
    bytes = bytes.subspan(static_cast<size_t>(count));
  }
}

void NewFile::commit() {
  if (fsync(file_) != 0) fail(errno);
  const int file = file_;
  file_ = -1;
  if (close(file) != 0) fail(errno);
  if (rename(temporary_.c_str(), path_.c_str()) != 0) fail(errno);
  temporary_.clear();
  sync_folder(std::filesystem::path(path_).parent_path());
}

void NewFile::fail(int problem) const {
  throw failed_error(concat(path_, ": cannot be written: ", std::strerror(problem)));
}

void write_new_file(const std::string& path, std::span<const std::byte> bytes) {
  NewFile file(path);
  file.write(bytes);
  file.commit();
}

void write_new_file(const std::string& path, std::string_view text) {
  write_new_file(path, std::as_bytes(std::span(text)));
}

void sync_folder(const std::filesystem::path& folder) {
  const int file = open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return;
  fsync(file);
  close(file);
}

}  // namespace m2
