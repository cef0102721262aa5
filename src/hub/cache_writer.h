// What is written into the Hugging Face cache beside the files' bytes, as huggingface_hub writes
// it.
#pragma once

#include <functional>
#include <string>

#include "hub/file_descriptor.h"

namespace m2 {

// One file of a model is fetched by one process at a time, m2's or huggingface_hub's: holds
// CACHE/.locks/MODEL/ETAG.lock by flock. The constructor waits for its turn; Error(kInterrupted)
// while it does, Error(kFailed) when the lock cannot be made.
class BlobLock {
 public:
  BlobLock(const std::string& path, const std::function<bool()>& interrupted);

 private:
  FileDescriptor file_;
};

// All of these replace what is there at once, never in halves, and throw Error(kFailed) that names
// the path and the reason.

// The folder and those above it.
void make_folders(const std::string& folder);
// SNAPSHOT/NAME as a link to ../../blobs/ETAG, with one more .. for each folder in NAME.
void link_blob(const std::string& snapshot, const std::string& name, const std::string& etag);
// A small file, in a folder that is made where it is missing.
void write_small_file(const std::string& path, const std::string& contents);

}  // namespace m2
