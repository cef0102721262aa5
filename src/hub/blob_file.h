// A file of the cache's folder blobs while it is fetched.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "hub/file_descriptor.h"
#include "hub/http_client.h"

namespace m2 {

// What the hub announces of a file.
struct RemoteFile {
  std::string name;  // in the repository
  std::string etag;  // fit to be a file's name
  uint64_t size = 0;
};

// Bytes go to BLOB.incomplete, which stays behind when the work ends early: the next one goes on
// where it ended. finish() makes it the blob. Errors name the file as `place` does and the reason;
// a file that can not become right is removed before.
class BlobFile final : public BodySink {
 public:
  // Called with the bytes that are there after each piece; may be empty.
  using OnBytes = std::function<void(uint64_t bytes)>;

  BlobFile(std::string blob, RemoteFile announced, OnBytes on_bytes);

  uint64_t offset() const override { return size_; }
  void restart() override;
  // Error(kFailed) for more bytes than announced and for a disk that takes no more.
  void write(std::string_view bytes) override;

  bool is_full() const { return size_ == announced_.size; }
  // Length and checksum must be the announced ones: Error(kFailed) else.
  void finish(const std::function<bool()>& interrupted);

 private:
  [[noreturn]] void fail(int problem) const;
  [[noreturn]] void discard(const std::string& why);

  std::string blob_, incomplete_;
  RemoteFile announced_;
  OnBytes on_bytes_;
  uint64_t size_ = 0;
  FileDescriptor file_;
};

}  // namespace m2
