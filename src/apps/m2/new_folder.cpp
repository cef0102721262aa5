#include "apps/m2/new_folder.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "checkpoint/new_file.h"
#include "core/error.h"
#include "core/mapped_file.h"
#include "core/text.h"

namespace m2 {
namespace {

namespace fs = std::filesystem;

bool belongs_to_a_model(const fs::path& file) {
  constexpr std::array<std::string_view, 4> kEndings = {".safetensors", ".bin", ".pt", ".json"};
  const std::string ending = file.extension().string();
  return file.filename() == "vocab.txt" ||
         std::find(kEndings.begin(), kEndings.end(), ending) != kEndings.end();
}

}  // namespace

NewFolder::NewFolder(const std::string& path) : path_(path) {
  if (path.empty()) throw usage_error("the folder to make has no name");
  std::error_code problem;
  for (fs::directory_iterator at(path_, problem), end; !problem && at != end;
       at.increment(problem)) {
    if (belongs_to_a_model(at->path())) {
      throw usage_error(concat(path, ": holds a model already (",
                               printable(at->path().filename().string()), "); name a new folder"));
    }
  }
  if (problem && problem != std::errc::no_such_file_or_directory) {
    throw failed_error(concat(path, ": cannot be looked into: ", problem.message()));
  }
}

NewFolder::~NewFolder() {
  if (committed_) return;
  std::error_code ignored;  // a folder in which others have put something stays
  for (auto made = made_.rbegin(); made != made_.rend(); ++made) fs::remove(*made, ignored);
}

void NewFolder::make_folder(const fs::path& folder) {
  std::error_code problem;
  if (folder.empty() || fs::is_directory(folder, problem)) return;
  make_folder(folder.parent_path());
  if (fs::create_directory(folder, problem)) made_.push_back(folder);
  if (problem) throw failed_error(concat(folder.string(), ": cannot be made: ", problem.message()));
}

fs::path NewFolder::add(const fs::path& name) {
  const fs::path path = path_ / name;
  std::error_code ignored;
  if (fs::exists(fs::symlink_status(path, ignored))) {
    throw usage_error(concat(path.string(), ": is there already; name a new folder"));
  }
  make_folder(path.parent_path());
  made_.push_back(path);
  return path;
}

void NewFolder::write(const fs::path& name, const std::string& text) {
  write_new_file(add(name).string(), text);
}

void NewFolder::copy(const fs::path& from, const fs::path& name) {
  const MappedFile source(from.string());
  write_new_file(add(name).string(), source.bytes());
}

}  // namespace m2
