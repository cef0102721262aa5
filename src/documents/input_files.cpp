#include "documents/input_files.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string_view>

#include "core/error.h"
#include "core/log.h"
#include "core/text.h"

namespace m2 {
namespace {

namespace fs = std::filesystem;

template <size_t count>
bool ends_with_any(std::string_view name, const std::array<std::string_view, count>& endings) {
  return std::any_of(endings.begin(), endings.end(),
                     [&](std::string_view ending) { return name.ends_with(ending); });
}

constexpr std::array<std::string_view, 3> kJsonLinesEndings = {".jsonl", ".ndjson", ".json"};
constexpr std::array<std::string_view, 2> kTextEndings = {".txt", ".text"};

bool is_known_in_a_folder(std::string_view path) {
  std::string_view name;
  compression_of(path, name);
  return ends_with_any(name, kJsonLinesEndings) || ends_with_any(name, kTextEndings);
}

InputFile describe(const std::string& path) {
  struct stat status{};
  if (stat(path.c_str(), &status) != 0) {
    throw input_error(concat(path, ": cannot be read: ", std::strerror(errno)));
  }
  InputFile file;
  file.path = path;
  std::string_view name;
  file.compression = compression_of(path, name);
  if (ends_with_any(name, kJsonLinesEndings)) file.format = DocumentFormat::kJsonLines;
  file.bytes = static_cast<uint64_t>(status.st_size);
  constexpr int64_t kSecond = 1'000'000'000;
  file.modified_ns = int64_t{status.st_mtim.tv_sec} * kSecond + status.st_mtim.tv_nsec;
  return file;
}

std::vector<std::string> files_below(const std::string& folder) {
  std::vector<std::string> found;
  std::string left_out;
  size_t left_out_count = 0;
  std::error_code problem;
  for (fs::recursive_directory_iterator at(folder, problem), end; !problem && at != end;
       at.increment(problem)) {
    const std::string path = at->path().string();
    std::error_code ignored;
    if (at->path().filename().string().starts_with('.')) {
      if (at->is_directory(ignored)) at.disable_recursion_pending();
    } else if (at->is_regular_file(ignored)) {
      if (is_known_in_a_folder(path)) {
        found.push_back(path);
      } else if (left_out_count++ == 0 || path < left_out) {
        left_out = path;
      }
    }
  }
  if (problem) {
    throw input_error(concat(folder, ": cannot be looked into: ", problem.message()));
  }
  if (left_out_count > 0) {
    log_warning(concat(folder, ": ", left_out_count, left_out_count == 1 ? " file" : " files",
                       " of other kinds left out, such as ", printable(left_out),
                       "; a file that is named itself is read as text"));
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

std::vector<InputFile> list_input_files(const std::vector<std::string>& inputs) {
  std::vector<InputFile> files;
  for (const std::string& input : inputs) {
    std::error_code ignored;
    if (!fs::is_directory(input, ignored)) {
      files.push_back(describe(input));
      continue;
    }
    const std::vector<std::string> below = files_below(input);
    if (below.empty()) {
      throw input_error(concat(input,
                               ": holds no text (.txt, .text, .jsonl, .ndjson or .json, "
                               "plain, .gz or .zst)"));
    }
    for (const std::string& path : below) files.push_back(describe(path));
  }
  return files;
}

}  // namespace m2
