#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>

#include "checkpoint/json.h"
#include "checkpoint/tensor_file.h"
#include "core/error.h"
#include "core/text.h"

namespace m2 {
namespace {

namespace fs = std::filesystem;

// Several files that an index joins to one.
class ShardedFile final : public TensorFile {
 public:
  explicit ShardedFile(const std::string& index_path);

  const std::vector<std::string>& names() const override { return names_; }

  const TensorView* find(std::string_view name) const override {
    const auto found = shard_of_.find(name);
    return found == shard_of_.end() ? nullptr : shards_.at(found->second)->find(name);
  }

  void release_pages(std::span<const std::byte> range) const override {
    for (const auto& [name, file] : shards_) file->release_pages(range);
  }

  std::string format() const override {
    const std::string one = shards_.begin()->second->format();
    return concat(one, ", ", shards_.size(), shards_.size() == 1 ? " shard" : " shards");
  }

  std::vector<std::string> unreadable() const override;
  std::vector<std::string> ignored() const override;
  std::vector<std::string> files() const;

 private:
  void read_index(const std::string& index_path);
  void check_shard(const std::string& shard, const std::string& index_path);

  fs::path folder_;
  std::map<std::string, std::unique_ptr<TensorFile>> shards_;  // by file name
  std::map<std::string, std::string, std::less<>> shard_of_;   // tensor -> file name
  std::vector<std::string> names_;
};

bool stays_in_folder(const std::string& name) {
  return !name.empty() && name != "." && name != ".." &&
         name.find_first_of(std::string_view("/\\\0", 3)) == name.npos;
}

ShardedFile::ShardedFile(const std::string& index_path)
    : folder_(fs::path(index_path).parent_path()) {
  read_index(index_path);
  for (auto& [name, file] : shards_) {
    file = open_tensor_file((folder_ / name).string());
    check_shard(name, index_path);
  }
}

void ShardedFile::read_index(const std::string& index_path) {
  const nlohmann::json index = read_json_object(index_path);
  const auto map = index.find("weight_map");
  if (map == index.end() || !map->is_object() || map->empty()) {
    throw input_error(concat(index_path, ": has no \"weight_map\" of tensors and their files"));
  }
  for (const auto& [tensor, shard] : map->items()) {
    if (!shard.is_string() || !stays_in_folder(shard.get_ref<const std::string&>())) {
      throw input_error(concat(index_path, ": \"weight_map\" puts \"", printable(tensor),
                               "\" into ", printable(shard.dump(-1, ' ', true)),
                               "; only names of files in the same folder are taken"));
    }
    shard_of_.emplace(tensor, shard.get<std::string>());
    shards_.emplace(shard.get<std::string>(), nullptr);
  }
}

void ShardedFile::check_shard(const std::string& shard, const std::string& index_path) {
  const auto problem = [&](std::string_view tensor, const char* what) {
    throw input_error(concat(index_path, ": does not match ", shard, ", which ", what, " \"",
                             printable(tensor), "\"; download both again"));
  };
  const TensorFile& file = *shards_.at(shard);
  for (const std::string& tensor : file.names()) {
    const auto found = shard_of_.find(tensor);
    if (found == shard_of_.end() || found->second != shard) problem(tensor, "also holds");
    names_.push_back(tensor);
  }
  std::vector<std::string> held = file.names();
  // What a shard has but cannot be read is there too: find() says what it is.
  for (std::string& name : file.unreadable()) held.push_back(std::move(name));
  std::sort(held.begin(), held.end());
  for (const auto& [tensor, owner] : shard_of_) {
    if (owner == shard && !std::binary_search(held.begin(), held.end(), tensor)) {
      problem(tensor, "has no tensor");
    }
  }
}

// What the shards list, together: sorted, each once.
template <class List>
std::vector<std::string> join_lists(
    const std::map<std::string, std::unique_ptr<TensorFile>>& shards, List&& list) {
  std::vector<std::string> all;
  for (const auto& [name, file] : shards) {
    const std::vector<std::string> some = list(*file);
    all.insert(all.end(), some.begin(), some.end());
  }
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

std::vector<std::string> ShardedFile::unreadable() const {
  return join_lists(shards_, [](const TensorFile& file) { return file.unreadable(); });
}

std::vector<std::string> ShardedFile::ignored() const {
  return join_lists(shards_, [](const TensorFile& file) { return file.ignored(); });
}

std::vector<std::string> ShardedFile::files() const {
  std::vector<std::string> paths;
  for (const auto& [name, file] : shards_) paths.push_back((folder_ / name).string());
  return paths;
}

// The only file of the folder with that ending, if there is exactly one.
std::optional<fs::path> only_file(const fs::path& folder, const char* extension) {
  std::optional<fs::path> found;
  std::error_code problem;
  for (fs::directory_iterator at(folder, problem), end; !problem && at != end;
       at.increment(problem)) {
    if (at->path().extension() != extension) continue;
    if (found) return std::nullopt;
    found = at->path();
  }
  return found;
}

// The file of weights, or the index of several, that a folder of a model holds.
fs::path weights_in(const fs::path& folder) {
  // A file that cannot be looked at is taken for there: opening it says why.
  const auto there = [&](const char* name) {
    std::error_code problem;
    return fs::exists(folder / name, problem) || problem;
  };
  for (const char* name : {"model.safetensors", "model.safetensors.index.json"}) {
    if (there(name)) return folder / name;
  }
  if (const auto only = only_file(folder, ".safetensors")) return *only;
  for (const char* name : {"pytorch_model.bin", "pytorch_model.bin.index.json", "model.bin"}) {
    if (there(name)) return folder / name;
  }
  if (const auto only = only_file(folder, ".pt")) return *only;
  throw input_error(concat(folder.string(),
                           ": holds no weights; looked for model.safetensors, pytorch_model.bin, "
                           "their index.json, model.bin, one *.safetensors or one *.pt; name the "
                           "file itself if it has another name"));
}

}  // namespace

Checkpoint open_checkpoint(const std::string& path) {
  std::error_code problem;
  const fs::path weights = fs::is_directory(path, problem) ? weights_in(path) : fs::path(path);
  Checkpoint checkpoint;
  const fs::path parent = weights.parent_path();
  checkpoint.folder = parent.empty() ? "." : parent.string();
  if (weights.string().ends_with(".index.json")) {
    auto sharded = std::make_unique<ShardedFile>(weights.string());
    checkpoint.files = sharded->files();
    checkpoint.tensors = std::move(sharded);
  } else {
    checkpoint.tensors = open_tensor_file(weights.string());
    checkpoint.files = {weights.string()};
  }
  return checkpoint;
}

}  // namespace m2
