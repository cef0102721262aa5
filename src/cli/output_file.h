// Where a command's results go.
#pragma once

#include <cstdint>
#include <fstream>
#include <ostream>
#include <string>

namespace m2 {

// Standard output, or a file that appears under its name only when it is whole: until commit() the
// bytes are in PATH.part. A path that exists and is no regular file (a pipe, a device) is written
// directly.
class OutputFile {
 public:
  // What becomes of PATH.part when commit() is not reached; an empty one never stays.
  enum class OnFailure { kRemove, kKeep };

  // An empty path is standard output. The first `kept_bytes` of a PATH.part that is there already
  // stay; without any, it is made anew. Error(kFailed) when the file cannot be made.
  OutputFile(std::string path, OnFailure on_failure, uint64_t kept_bytes = 0);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  std::ostream& stream();
  // Whether the stream can go back to patch what it wrote.
  bool seekable() const { return staged_; }
  // Brings what was written so far to the system; Error(kFailed) that names the path and the
  // reason.
  void flush();
  void commit();
  // The error of a write to stream() that failed with this errno, or 0 where it is not known.
  [[noreturn]] void fail(int problem) const;

 private:
  std::string path_, written_path_;
  OnFailure on_failure_;
  bool staged_ = false, committed_ = false;
  std::ofstream file_;
};

}  // namespace m2
