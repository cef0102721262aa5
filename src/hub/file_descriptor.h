// A file of the system's, closed when its owner goes.
#pragma once

#include <unistd.h>

namespace m2 {

class FileDescriptor {
 public:
  FileDescriptor() = default;
  ~FileDescriptor() { reset(-1); }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;

  // Negative: none.
  int get() const { return file_; }
  void reset(int file) {
    if (file_ >= 0) close(file_);
    file_ = file;
  }

 private:
  int file_ = -1;
};

}  // namespace m2
