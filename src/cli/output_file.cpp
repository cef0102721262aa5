#include "cli/output_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <utility>

#include "cli/interrupt.h"
#include "core/error.h"
#include "core/text.h"

namespace m2 {

OutputFile::OutputFile(std::string path, OnFailure on_failure, uint64_t kept_bytes)
    : path_(std::move(path)), written_path_(path_), on_failure_(on_failure) {
  if (path_.empty()) return;
  std::error_code ignored;
  const auto status = std::filesystem::status(path_, ignored);
  staged_ = !std::filesystem::exists(status) || std::filesystem::is_regular_file(status);
  if (std::filesystem::is_directory(status)) fail(EISDIR);
  if (staged_) written_path_ += ".part";
  errno = 0;
  if (kept_bytes > 0) {
    std::error_code problem;
    std::filesystem::resize_file(written_path_, kept_bytes, problem);
    if (problem) fail(problem.value());
  }
  file_.open(written_path_, std::ios::binary | (kept_bytes > 0 ? std::ios::app : std::ios::trunc));
  if (!file_) fail(errno);
}

OutputFile::~OutputFile() {
  if (path_.empty() || committed_ || !staged_) return;
  file_.close();
  std::error_code problem;
  const bool empty = std::filesystem::file_size(written_path_, problem) == 0 && !problem;
  if (empty || on_failure_ == OnFailure::kRemove) std::remove(written_path_.c_str());
}

std::ostream& OutputFile::stream() {
  return path_.empty() ? std::cout : file_;
}

void OutputFile::flush() {
  errno = 0;
  stream().flush();
  if (!stream()) fail(errno);
}

void OutputFile::commit() {
  flush();
  committed_ = true;
  if (!staged_) return;
  file_.close();
  const int descriptor = open(written_path_.c_str(), O_RDONLY | O_CLOEXEC);
  const bool synced = descriptor >= 0 && fsync(descriptor) == 0;
  const int problem = errno;
  if (descriptor >= 0) close(descriptor);
  if (!synced) fail(problem);
  if (std::rename(written_path_.c_str(), path_.c_str()) != 0) fail(errno);
}

void OutputFile::fail(int problem) const {
  if (problem == EINTR) stop_if_interrupted();
  throw failed_error(concat(path_.empty() ? "standard output" : path_, ": cannot be written: ",
                            problem == 0 ? "the stream failed" : std::strerror(problem)));
}

}  // namespace m2
