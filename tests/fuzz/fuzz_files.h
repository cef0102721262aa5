// Inputs of a fuzzer as files, for readers that take a path.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace m2 {

// A folder that the process keeps, in memory where the system has a place for it.
class FuzzFolder {
 public:
  FuzzFolder() {
    const bool shared = std::filesystem::is_directory("/dev/shm");
    std::string name = shared ? "/dev/shm/m2_fuzz_XXXXXX" : "/tmp/m2_fuzz_XXXXXX";
    if (mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
  }
  ~FuzzFolder() { std::filesystem::remove_all(path_); }
  FuzzFolder(const FuzzFolder&) = delete;
  FuzzFolder& operator=(const FuzzFolder&) = delete;

  const std::string& path() const { return path_; }

  // Writes the file and returns its path.
  std::string write(const std::string& name, std::string_view content) const {
    const std::string file = path_ + "/" + name;
    std::ofstream(file, std::ios::binary | std::ios::trunc) << content;
    return file;
  }

 private:
  std::string path_;
};

// The input cut at its first `count` - 1 bytes 0: the contents of several files. Missing ones are
// empty.
inline std::vector<std::string_view> fuzz_parts(const uint8_t* data, size_t size, size_t count) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  std::vector<std::string_view> parts;
  while (parts.size() + 1 < count) {
    const size_t end = rest.find('\0');
    parts.push_back(rest.substr(0, end));
    rest = end == rest.npos ? std::string_view() : rest.substr(end + 1);
  }
  parts.push_back(rest);
  return parts;
}

}  // namespace m2
