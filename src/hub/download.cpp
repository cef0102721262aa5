#include "hub/download.h"

#include <filesystem>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/log.h"
#include "core/mapped_file.h"
#include "core/text.h"
#include "hub/cache_writer.h"
#include "hub/hub_cache.h"
#include "hub/repository.h"
#include "hub/wanted_files.h"

namespace m2 {
namespace {

namespace fs = std::filesystem;

class Download {
 public:
  Download(const HubName& name, const HubAccess& access, const DownloadOptions& options)
      : name_(name),
        endpoint_(access.endpoint),
        options_(options),
        repository_(name, access, options.interrupted),
        cache_(hub_cache_folder()),
        model_(cache_ / cache_folder_name(name.repository)) {}

  bool reached() const { return repository_.reached(); }
  std::string run();

 private:
  fs::path blob_of(const RemoteFile& file) const { return model_ / "blobs" / file.etag; }
  // On disk as announced.
  bool is_there(const RemoteFile& file) const;
  const RemoteFile& described(const std::string& name);
  void check_space(const std::vector<RemoteFile>& files) const;
  void fetch(const RemoteFile& file);
  void report(uint64_t bytes_of_file);
  void write_snapshot(const std::string& snapshot, const std::vector<RemoteFile>& files,
                      const WantedFiles& wanted) const;

  const HubName name_;
  const std::string endpoint_;
  const DownloadOptions& options_;
  Repository repository_;
  const fs::path cache_, model_;
  std::map<std::string, RemoteFile> files_;  // by name
  DownloadProgress progress_;
};

bool Download::is_there(const RemoteFile& file) const {
  std::error_code problem;
  return fs::file_size(blob_of(file), problem) == file.size && !problem;
}

const RemoteFile& Download::described(const std::string& name) {
  const auto known = files_.find(name);
  if (known != files_.end()) return known->second;
  return files_.emplace(name, repository_.describe(name)).first->second;
}

void Download::check_space(const std::vector<RemoteFile>& files) const {
  uint64_t needed = 0;
  for (const RemoteFile& file : files) {
    std::error_code problem;
    const uint64_t begun = fs::file_size(blob_of(file).string() + ".incomplete", problem);
    if (!is_there(file)) needed += problem || begun > file.size ? file.size : file.size - begun;
  }
  std::error_code unknown;
  const fs::space_info space = fs::space(model_, unknown);
  if (unknown || needed <= space.available) return;
  throw failed_error(concat(repository_.label(), ": ", model_.string(), " has room for ",
                            bytes_text(space.available), ", and ", bytes_text(needed),
                            " are to come; make room, or set HF_HUB_CACHE to another disk"));
}

void Download::report(uint64_t bytes_of_file) {
  if (!options_.progress || progress_.total == 0) return;
  DownloadProgress now = progress_;
  now.present += bytes_of_file;
  now.moved = repository_.received();
  options_.progress(now);
}

void Download::fetch(const RemoteFile& file) {
  const fs::path lock = cache_ / ".locks" / model_.filename() / (file.etag + ".lock");
  const BlobLock held(lock.string(), options_.interrupted);
  if (is_there(file)) return;
  BlobFile blob(blob_of(file).string(), file, [&](uint64_t bytes) { report(bytes); });
  repository_.fetch(file, blob);
  blob.finish(options_.interrupted);
}

void Download::write_snapshot(const std::string& snapshot, const std::vector<RemoteFile>& files,
                              const WantedFiles& wanted) const {
  for (const RemoteFile& file : files) link_blob(snapshot, file.name, file.etag);
  for (const std::string& name : wanted.absent) {
    write_small_file(absence_marker(snapshot, name), "");
  }
  if (name_.revision == repository_.commit()) return;
  write_small_file((model_ / "refs" / name_.revision).string(), repository_.commit());
}

std::string Download::run() {
  repository_.open();
  make_folders((model_ / "blobs").string());
  FileListing listing;
  listing.names = repository_.names();
  listing.read = [&](const std::string& name) {
    const RemoteFile& file = described(name);
    fetch(file);
    return read_text_file(blob_of(file).string(), kMaxListBytes);
  };
  const WantedFiles wanted = wanted_files(listing);
  if (!wanted.has_weights) {
    throw input_error(concat(repository_.label(), ": ", endpoint_,
                             " has the model, but no weights of it that this program reads "
                             "(safetensors, PyTorch), or not all of them"));
  }
  std::vector<RemoteFile> files;
  for (const std::string& name : wanted.names) {
    files.push_back(described(name));
    progress_.total += files.back().size;
  }
  check_space(files);
  log_info(concat("downloading ", repository_.label(), " from ", endpoint_, ": ", files.size(),
                  " files, ", bytes_text(progress_.total), ", into ", model_.string()));
  for (const RemoteFile& file : files) {
    fetch(file);
    progress_.present += file.size;
    report(0);
  }
  const fs::path snapshot = model_ / "snapshots" / repository_.commit();
  write_snapshot(snapshot.string(), files, wanted);
  return snapshot.string();
}

// What the cache has of a model, or nothing.
std::optional<std::string> cached(const std::string& model_id) {
  try {
    return find_model(model_id);
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace

std::string obtain_model(const std::string& model_id, const DownloadOptions& options) {
  std::error_code problem;
  const bool is_path = fs::exists(model_id, problem) || problem;
  const auto name = is_path ? std::nullopt : parse_hub_name(model_id);
  if (!name || options.offline || is_offline_by_environment()) return find_model(model_id);
  const auto found = cached(model_id);
  if (found && is_whole_snapshot(*found)) return *found;
  Download download(*name, hub_access(), options);
  try {
    return download.run();
  } catch (const ConnectionError& unreachable) {
    if (download.reached()) {
      throw failed_error(concat(model_id, ": the download broke off (", unreachable.what(),
                                "); the same command goes on where it ended"));
    }
    if (!found) {
      throw failed_error(concat(model_id,
                                ": no such file or folder, not in the cache, and the hub ",
                                "cannot be reached (", unreachable.what(), ")"));
    }
    log_warning(concat(model_id, ": the hub cannot be reached (", unreachable.what(),
                       "); using what the cache has of it, which may lack files. --offline says "
                       "not to ask"));
    return *found;
  }
}

}  // namespace m2
