// checkpoint: reads and writes files of tensors (safetensors, PyTorch, NumPy). Uses core.
//
// Files come from outside and are hostile: every offset, size, shape and name is checked before it
// is used, nothing in a file is ever executed, and what expands has a limit. A damaged file gives
// Error(kInput) with one line that names the file, where it can the tensor, and what to do.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/tensor_view.h"

namespace m2 {

// Named tensors of one model. Views point into memory that the TensorFile owns (mapped where the
// layout allows, so possibly unaligned); they live as long as it does. Reading is thread-safe.
// Bytes of a kBool tensor may hold any value: read them as uint8_t.
class TensorFile {
 public:
  virtual ~TensorFile() = default;

  // Every tensor that can be read, in the file's order, each once.
  virtual const std::vector<std::string>& names() const = 0;

  // The tensor of that name, or nullptr when the file has none. Error(kInput) when the file has
  // the name but its value depends on a Python class that is not read: the line names the class.
  virtual const TensorView* find(std::string_view name) const = 0;

  // Names that the file has but find() refuses, sorted.
  virtual std::vector<std::string> unreadable() const { return {}; }

  // Lets the pages behind `range`, part of a tensor, leave memory where they are mapped from disk;
  // they come back when they are read again. Nothing happens to tensors that lie in memory.
  virtual void release_pages(std::span<const std::byte> range) const = 0;

  // "safetensors", "safetensors, 3 shards", "PyTorch".
  virtual std::string format() const = 0;

  // Python classes and functions met in a pickle that are outside the allow-list, sorted. They
  // were never looked up nor called; a message may show them on request.
  virtual std::vector<std::string> ignored() const { return {}; }
};

// One file, its kind told by its content. Error(kInput) when it is missing, damaged or neither a
// safetensors file nor a PyTorch zip checkpoint.
std::unique_ptr<TensorFile> open_tensor_file(const std::string& path);

struct Checkpoint {
  std::unique_ptr<TensorFile> tensors;
  std::string folder;              // where config.json and the vocabulary are to be looked for
  std::vector<std::string> files;  // the files that hold the tensors, as paths
};

// `path` is a file of tensors, a *.index.json of shards, or a folder, where these are looked for:
// model.safetensors, model.safetensors.index.json, the only *.safetensors, pytorch_model.bin,
// pytorch_model.bin.index.json, model.bin, the only *.pt. Shard names stay inside the folder, and
// an index must say of every tensor of its shards exactly where it is.
Checkpoint open_checkpoint(const std::string& path);

}  // namespace m2
