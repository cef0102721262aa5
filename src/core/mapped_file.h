// A whole file mapped for reading.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace m2 {

class MappedFile {
 public:
  // Maps `path`. Throws Error(kInput) that names the path when it is missing, unreadable or no
  // regular file. An empty file gives an empty span.
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const std::string& path() const { return path_; }
  std::span<const std::byte> bytes() const { return {data_, size_}; }

  // Tells the system that the pages of `range` are not needed soon: they leave memory and are read
  // again from disk when touched. A range outside this mapping is left alone: memory of another
  // kind would lose its contents.
  void release_pages(std::span<const std::byte> range) const;

 private:
  std::string path_;
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

// The whole of a small text file; Error(kInput) as above, also when it is larger than `limit`.
std::string read_text_file(const std::string& path, size_t limit);

}  // namespace m2
