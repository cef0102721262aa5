#include "hub/hub_cache.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "core/error.h"
#include "core/mapped_file.h"
#include "core/text.h"
#include "hub/hub_name.h"
#include "hub/wanted_files.h"

namespace m2 {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxRefBytes = 1000;

std::string download_hint(const HubName& name) {
  const bool is_default = name.revision == kDefaultRevision;
  return concat("get it with: hf download ", name.repository,
                is_default ? "" : " --revision " + name.revision);
}

[[noreturn]] void fail(const HubName& name, const std::string& problem) {
  throw input_error(concat(name.repository, ": ", problem, "; ", download_hint(name)));
}

std::string read_commit(const HubName& name, const fs::path& model) {
  if (is_commit(name.revision)) return name.revision;
  const fs::path ref = model / "refs" / name.revision;
  std::error_code problem;
  if (!fs::exists(ref, problem)) {
    fail(name,
         concat("the cache has no revision ", name.revision, " of it (no ", ref.string(), ")"));
  }
  std::string commit = read_text_file(ref.string(), kMaxRefBytes);
  while (!commit.empty() && (commit.back() == '\n' || commit.back() == '\r')) commit.pop_back();
  if (!is_commit(commit)) {
    fail(name, concat(ref.string(), " holds \"", printable(commit), "\", which is no commit"));
  }
  return commit;
}

// The files of a snapshot and of the folders in it; a link whose blob is missing is none.
FileListing list_files(const fs::path& snapshot) {
  FileListing listing;
  listing.read = [snapshot](const std::string& name) {
    return read_text_file((snapshot / name).string(), kMaxListBytes);
  };
  std::error_code problem, gone;
  for (fs::recursive_directory_iterator at(snapshot, problem), end; !problem && at != end;
       at.increment(problem)) {
    if (fs::is_regular_file(at->path(), gone)) {
      listing.names.insert(at->path().lexically_relative(snapshot).generic_string());
    } else if (at.depth() > 0) {
      at.disable_recursion_pending();
    }
  }
  return listing;
}

bool holds_weights(const FileListing& listing) {
  const auto at_top = [](const std::string& name) {
    return name.find('/') == name.npos && is_weights_file(name);
  };
  return std::any_of(listing.names.begin(), listing.names.end(), at_top) ||
         wanted_files(listing).has_weights;
}

}  // namespace

std::string folder_variable(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr) return {};
  std::string folder = value;
  const char* home = std::getenv("HOME");
  if (home != nullptr && (folder == "~" || folder.starts_with("~/"))) {
    return home + folder.substr(1);
  }
  return folder;
}

std::string hub_home_folder() {
  if (const std::string home = folder_variable("HF_HOME"); !home.empty()) return home;
  std::string caches = folder_variable("XDG_CACHE_HOME");
  if (caches.empty()) caches = (fs::path(folder_variable("HOME")) / ".cache").string();
  return (fs::path(caches) / "huggingface").string();
}

std::string hub_cache_folder() {
  for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"}) {
    if (const std::string cache = folder_variable(name); !cache.empty()) return cache;
  }
  return (fs::path(hub_home_folder()) / "hub").string();
}

std::string find_model(const std::string& model_id) {
  std::error_code problem;
  if (fs::exists(model_id, problem) || problem) return model_id;
  const auto name = parse_hub_name(model_id);
  if (!name) return model_id;
  const fs::path model = fs::path(hub_cache_folder()) / cache_folder_name(name->repository);
  if (!fs::is_directory(model, problem)) {
    fail(*name, concat("no such file or folder, and the Hugging Face cache has no such model (no ",
                       model.string(), ")"));
  }
  const std::string commit = read_commit(*name, model);
  const fs::path snapshot = model / "snapshots" / commit;
  if (!fs::is_directory(snapshot, problem)) {
    fail(*name, concat("the cache has no snapshot of the revision ", name->revision, " (no ",
                       snapshot.string(), ")"));
  }
  if (!holds_weights(list_files(snapshot))) {
    fail(*name, concat("its snapshot in the cache holds no weights (", snapshot.string(), ")"));
  }
  return snapshot.string();
}

bool is_whole_snapshot(const std::string& snapshot) {
  const FileListing listing = list_files(snapshot);
  const WantedFiles wanted = wanted_files(listing);
  // Every repository has it, and only who takes everything takes it.
  const bool all_taken = listing.names.contains(".gitattributes");
  const auto known_absent = [&](const std::string& name) {
    std::error_code problem;
    return all_taken || fs::exists(absence_marker(snapshot, name), problem);
  };
  return wanted.has_weights &&
         std::all_of(wanted.absent.begin(), wanted.absent.end(), known_absent);
}

std::string absence_marker(const std::string& snapshot, const std::string& name) {
  const fs::path folder(snapshot);
  const fs::path model = folder.parent_path().parent_path();
  return (model / ".no_exist" / folder.filename() / name).string();
}

}  // namespace m2
