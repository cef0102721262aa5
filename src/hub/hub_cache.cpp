#include "hub/hub_cache.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "core/mapped_file.h"
#include "core/text.h"

namespace m2 {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxNameBytes = 96;  // of ORG and of NAME, as the hub has it
constexpr size_t kMaxRevisionBytes = 200;
constexpr size_t kCommitDigits = 40;
constexpr size_t kMaxRefBytes = 1000;
constexpr char kDefaultRevision[] = "main";
constexpr std::array<std::string_view, 4> kWeightEndings = {".safetensors", ".bin", ".pt",
                                                            ".index.json"};

struct HubName {
  std::string repository;  // ORG/NAME or NAME
  std::string revision = kDefaultRevision;
};

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// ORG or NAME: begins and ends with a letter, a digit or an underscore.
bool is_name_part(std::string_view part) {
  const auto inner = [](char c) {
    return is_letter_or_digit(c) || c == '_' || c == '-' || c == '.';
  };
  const auto outer = [](char c) { return is_letter_or_digit(c) || c == '_'; };
  return !part.empty() && part.size() <= kMaxNameBytes && outer(part.front()) &&
         outer(part.back()) && std::all_of(part.begin(), part.end(), inner) &&
         part.find("--") == part.npos && part.find("..") == part.npos;
}

bool is_repository(std::string_view name) {
  if (name.ends_with(".git")) return false;
  const size_t slash = name.find('/');
  if (slash == name.npos) return is_name_part(name);
  return is_name_part(name.substr(0, slash)) && is_name_part(name.substr(slash + 1));
}

// A branch, a tag or a commit; it may have slashes ("refs/pr/3"), and stays in the folder refs.
bool is_revision(std::string_view revision) {
  if (revision.empty() || revision.size() > kMaxRevisionBytes) return false;
  std::string_view rest = revision;
  while (true) {
    const std::string_view part = rest.substr(0, rest.find('/'));
    const auto allowed = [](char c) {
      return is_letter_or_digit(c) || c == '_' || c == '-' || c == '.' || c == '+';
    };
    if (part.empty() || part.front() == '.' || part.find("..") != part.npos ||
        !std::all_of(part.begin(), part.end(), allowed)) {
      return false;
    }
    if (part.size() == rest.size()) return true;
    rest.remove_prefix(part.size() + 1);
  }
}

bool is_weights_file(std::string_view name) {
  const auto ends = [&](std::string_view ending) { return name.ends_with(ending); };
  return std::any_of(kWeightEndings.begin(), kWeightEndings.end(), ends);
}

bool is_commit(std::string_view text) {
  return text.size() == kCommitDigits && text.find_first_not_of("0123456789abcdef") == text.npos;
}

// The name on the hub that `model_id` is, or nothing when it can only be a path.
std::optional<HubName> parse_name(const std::string& model_id) {
  HubName name;
  const size_t at = model_id.find('@');
  name.repository = model_id.substr(0, at);
  if (!is_repository(name.repository) || is_weights_file(model_id)) return std::nullopt;
  if (at != model_id.npos) name.revision = model_id.substr(at + 1);
  if (!is_revision(name.revision)) {
    throw input_error(concat(printable(model_id),
                             ": the revision after @ must be a branch, a tag "
                             "or a commit, as in ORG/NAME@main"));
  }
  return name;
}

// A variable's value with ~ in front resolved; empty where it is not set.
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

bool holds_weights(const fs::path& folder) {
  std::error_code problem;
  for (fs::directory_iterator at(folder, problem), end; !problem && at != end;
       at.increment(problem)) {
    std::error_code gone;  // a link whose blob is missing is no file
    if (is_weights_file(at->path().filename().string()) && fs::exists(at->path(), gone)) {
      return true;
    }
  }
  return false;
}

// models--ORG--NAME
std::string folder_name(const std::string& repository) {
  std::string name = "models--" + repository;
  if (const size_t slash = name.find('/'); slash != name.npos) name.replace(slash, 1, "--");
  return name;
}

}  // namespace

std::string hub_cache_folder() {
  for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"}) {
    if (const std::string cache = folder_variable(name); !cache.empty()) return cache;
  }
  if (const std::string home = folder_variable("HF_HOME"); !home.empty()) {
    return (fs::path(home) / "hub").string();
  }
  std::string caches = folder_variable("XDG_CACHE_HOME");
  if (caches.empty()) caches = (fs::path(folder_variable("HOME")) / ".cache").string();
  return (fs::path(caches) / "huggingface" / "hub").string();
}

std::string find_model(const std::string& model_id) {
  std::error_code problem;
  if (fs::exists(model_id, problem) || problem) return model_id;
  const auto name = parse_name(model_id);
  if (!name) return model_id;
  const fs::path model = fs::path(hub_cache_folder()) / folder_name(name->repository);
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
  if (!holds_weights(snapshot)) {
    fail(*name, concat("its snapshot in the cache holds no weights (", snapshot.string(), ")"));
  }
  return snapshot.string();
}

}  // namespace m2
