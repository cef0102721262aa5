// Which files of a repository this program reads, and so which are downloaded: the rules by which
// checkpoint, config and tokenizer choose among a folder's files, applied to a list of names.
#pragma once

#include <cstddef>
#include <functional>
#include <set>
#include <string>
#include <vector>

namespace m2 {

// Of a file that names others: modules.json, an index of shards, the hub's own list.
inline constexpr size_t kMaxListBytes = size_t{64} << 20;

// The files of a repository, or of its snapshot on disk, as paths from its top.
struct FileListing {
  std::set<std::string, std::less<>> names;
  // The contents of one of them; asked for modules.json and for an index of shards alone.
  std::function<std::string(const std::string& name)> read;
};

struct WantedFiles {
  // Small files first, an index behind its shards, the transformer's weights last.
  std::vector<std::string> names;
  // All weights of the transformer and of each Dense module, every shard of them.
  bool has_weights = false;
  // What most models have and this one has not: of modules.json, config.json (or any YAML) and
  // tokenizer.json (or vocab.txt).
  std::vector<std::string> absent;
};

// Copies of the same weights in other formats (PyTorch beside safetensors, ONNX, TensorFlow, …) are
// left out. Errors are those of `read`; a modules.json or an index that makes no sense is taken for
// empty, since loading the model says what is wrong with it.
WantedFiles wanted_files(const FileListing& listing);

}  // namespace m2
