#include "train/checkpoints/whole_folder.h"

#include <string>
#include <utility>

#include "checkpoint/new_file.h"
#include "core/error.h"
#include "core/text.h"

namespace m2::train {
namespace {

namespace fs = std::filesystem;

// Endings of folders that are being made, replaced and removed.
constexpr char kUnfinished[] = ".part", kReplaced[] = ".old", kLeaving[] = ".gone";

fs::path with_ending(fs::path path, const char* ending) {
  path += ending;
  return path;
}

void stop_on(const std::error_code& problem, const fs::path& path, const char* what) {
  if (!problem) return;
  throw failed_error(concat(path.string(), ": cannot be ", what, ": ", problem.message()));
}

void rename_folder(const fs::path& from, const fs::path& to) {
  std::error_code problem;
  fs::rename(from, to, problem);
  stop_on(problem, to, "written");
}

// Removes a folder on the way out, unless it was renamed away.
class Leftover {
 public:
  explicit Leftover(fs::path path) : path_(std::move(path)) {}
  ~Leftover() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Leftover(const Leftover&) = delete;
  Leftover& operator=(const Leftover&) = delete;

 private:
  fs::path path_;
};

}  // namespace

void replace_folder(const fs::path& whole, const std::function<void(const fs::path& part)>& write) {
  const fs::path part = with_ending(whole, kUnfinished), old = with_ending(whole, kReplaced);
  const Leftover remove_part(part);
  std::error_code problem;
  fs::remove_all(part, problem);
  fs::create_directories(part, problem);
  stop_on(problem, part, "made");
  write(part);
  const bool replaces = fs::exists(whole, problem);
  if (replaces) rename_folder(whole, old);
  fs::rename(part, whole, problem);
  if (problem && replaces) rename_folder(old, whole);
  stop_on(problem, whole, "written");
  const Leftover remove_old(old);
  sync_folder(whole.parent_path());
}

void remove_folder(const fs::path& whole) {
  const fs::path leaving = with_ending(whole, kLeaving);
  rename_folder(whole, leaving);
  const Leftover remove(leaving);
}

void clear_leftovers(const fs::path& parent,
                     const std::function<bool(const std::string& name)>& is_ours) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(parent, ignored)) {
    const std::string ending = entry.path().extension().string();
    fs::path whole = entry.path();
    whole.replace_extension();
    if (!is_ours(whole.filename().string())) continue;
    if (ending == kReplaced && !fs::exists(whole)) {
      fs::rename(entry.path(), whole, ignored);
    } else if (ending == kUnfinished || ending == kReplaced || ending == kLeaving) {
      fs::remove_all(entry.path(), ignored);
    }
  }
}

}  // namespace m2::train
