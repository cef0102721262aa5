#include "train/checkpoints/run_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "checkpoint/new_file.h"
#include "core/error.h"
#include "core/mapped_file.h"
#include "core/text.h"
#include "tokenizer/vocabulary_files.h"
#include "train/checkpoints/whole_folder.h"

namespace m2::train {

namespace fs = std::filesystem;

RunFolder::RunFolder(const std::string& path, Existing existing) : path_(path) {
  std::error_code problem;
  fs::create_directories(path_, problem);
  if (problem) throw failed_error(concat(path, ": cannot be made: ", problem.message()));
  take_lock();
  if (existing == Existing::kRefuse && holds_run()) {
    close(lock_);
    throw usage_error(concat(path,
                             ": holds a run already; set autoresume=true to go on with it, "
                             "save_overwrite=true to begin anew, or another save_folder"));
  }
  clear_leftovers(path_, [this](const std::string& name) {
    return name == model().filename() || name == vocabulary().filename() ||
           name.starts_with(configuration().filename().string() + ".");
  });
}

void RunFolder::empty() const {
  std::error_code problem;
  for (const fs::path& part : {checkpoints(), model(), metrics(), tensorboard()}) {
    fs::remove_all(part, problem);
    if (problem)
      throw failed_error(concat(part.string(), ": cannot be removed: ", problem.message()));
  }
}

RunFolder::~RunFolder() {
  close(lock_);
}

void RunFolder::take_lock() {
  const fs::path file = path_ / ".lock";
  lock_ = open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (lock_ < 0) {
    throw failed_error(concat(file.string(), ": cannot be made: ", std::strerror(errno)));
  }
  if (flock(lock_, LOCK_EX | LOCK_NB) == 0) return;
  const int problem = errno;
  close(lock_);
  if (problem == EWOULDBLOCK) {
    throw failed_error(concat(path_.string(), ": another process trains in this folder"));
  }
  throw failed_error(concat(file.string(), ": cannot be locked: ", std::strerror(problem)));
}

bool RunFolder::holds_run() const {
  std::error_code ignored;
  return fs::exists(checkpoints(), ignored) || fs::exists(metrics(), ignored) ||
         fs::exists(model(), ignored);
}

std::vector<std::string> keep_vocabulary(const std::string& tokenizer, const fs::path& folder) {
  std::vector<std::string> copies;
  replace_folder(folder, [&](const fs::path& part) {
    for (const auto& [file, name] : vocabulary_files(tokenizer)) {
      write_new_file((part / name).string(), MappedFile(file).bytes());
      copies.push_back((folder / name).string());
    }
  });
  return copies;
}

}  // namespace m2::train
