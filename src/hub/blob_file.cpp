#include "hub/blob_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "core/error.h"
#include "core/text.h"
#include "hub/checksum.h"

namespace m2 {

BlobFile::BlobFile(std::string blob, RemoteFile announced, OnBytes on_bytes)
    : blob_(std::move(blob)),
      incomplete_(blob_ + ".incomplete"),
      announced_(std::move(announced)),
      on_bytes_(std::move(on_bytes)) {
  constexpr mode_t kMode = 0666;  // less the process's umask
  file_.reset(open(incomplete_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kMode));
  struct stat status{};
  if (file_.get() < 0 || fstat(file_.get(), &status) != 0) fail(errno);
  size_ = static_cast<uint64_t>(status.st_size);
  if (size_ > announced_.size) restart();
  if (lseek(file_.get(), 0, SEEK_END) < 0) fail(errno);
}

void BlobFile::restart() {
  if (ftruncate(file_.get(), 0) != 0 || lseek(file_.get(), 0, SEEK_SET) != 0) fail(errno);
  size_ = 0;
}

void BlobFile::write(std::string_view bytes) {
  if (bytes.size() > announced_.size - size_) {
    discard(concat("the server sends more than the ", announced_.size, " bytes it announced"));
  }
  while (!bytes.empty()) {
    const ssize_t written = ::write(file_.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail(errno);
    bytes.remove_prefix(static_cast<size_t>(written));
    size_ += static_cast<uint64_t>(written);
  }
  if (on_bytes_) on_bytes_(size_);
}

void BlobFile::finish(const std::function<bool()>& interrupted) {
  if (!is_full()) {
    discard(concat("the server sends ", size_, " bytes, but announced ", announced_.size));
  }
  if (!agrees_with_etag(incomplete_, announced_.etag, interrupted)) {
    discard(concat("its checksum is not ", announced_.etag, ", which the hub announced"));
  }
  if (fsync(file_.get()) != 0) fail(errno);
  if (std::rename(incomplete_.c_str(), blob_.c_str()) != 0) fail(errno);
}

void BlobFile::fail(int problem) const {
  throw failed_error(concat(incomplete_, ": cannot be written: ", std::strerror(problem)));
}

void BlobFile::discard(const std::string& why) {
  std::remove(incomplete_.c_str());
  throw failed_error(
      concat(printable(announced_.name), ": ", why, "; what came was removed, try again"));
}

}  // namespace m2
