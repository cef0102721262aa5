#include "train/checkpoints/run_folder.h"

#include "checkpoint/new_file.h"
#include "core/error.h"
#include "core/mapped_file.h"
#include "core/text.h"
#include "tokenizer/vocabulary_files.h"
#include "train/checkpoints/whole_folder.h"

namespace m2::train {

namespace fs = std::filesystem;

RunFolder::RunFolder(const std::string& path, Existing existing)
    : path_(path), lock_(path_, "trains") {
  if (existing == Existing::kRefuse && holds_run()) {
    throw usage_error(concat(path,
                             ": holds a run already; set autoresume=true to go on with it, "
                             "save_overwrite=true to begin anew, or another save_folder"));
  }
  clear_leftovers(path_, [this](const std::string& name) {
    return name == model().filename() || name == vocabulary().filename() ||
           name.starts_with(configuration().filename().string() + ".") ||
           name.starts_with(metrics().filename().string() + ".");
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

bool RunFolder::holds_run() const {
  std::error_code ignored;
  const auto told = fs::file_size(metrics(), ignored);  // empty where no step was done
  return fs::exists(checkpoints(), ignored) || fs::exists(model(), ignored) ||
         (fs::exists(metrics(), ignored) && told > 0);
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
