// A file that appears under its name only when it is whole.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace m2 {

// Bytes go to another name in the same folder; commit() brings them to disk and renames. Without
// commit() the destructor removes what was written, and a file that was under `path` stays as it
// was. Every failure is Error(kFailed) that names `path` and the reason ("No space left …").
class NewFile {
 public:
  explicit NewFile(const std::string& path);
  ~NewFile();
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  void write(std::span<const std::byte> bytes);
  void commit();

 private:
  [[noreturn]] void fail(int problem) const;

  std::string path_;
  std::string temporary_;
  int file_ = -1;
};

// A NewFile of these bytes.
void write_new_file(const std::string& path, std::span<const std::byte> bytes);
void write_new_file(const std::string& path, std::string_view text);

// Renames in a folder reach the disk with it; not every file system can do that.
void sync_folder(const std::filesystem::path& folder);

}  // namespace m2
