// safetensors files: 8 bytes of header length (little-endian), a JSON header, the data.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/tensor_file.h"
#include "core/mapped_file.h"

namespace m2 {

// A memory-mapped safetensors file. As the format asks: a header of at most 100 MB, data that the
// tensors cover wholly and without overlap, no name twice, `__metadata__` a map of strings.
// Dtypes other than DType's are refused by name.
class SafetensorsFile final : public TensorFile {
 public:
  explicit SafetensorsFile(const std::string& path);
  // The same over bytes that outlive the object; `path` serves messages.
  SafetensorsFile(std::span<const std::byte> bytes, const std::string& path);

  const std::vector<std::string>& names() const override { return names_; }
  const TensorView* find(std::string_view name) const override;
  void release_pages(std::span<const std::byte> range) const override {
    if (file_) file_->release_pages(range);
  }
  std::string format() const override { return "safetensors"; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

 private:
  void parse(std::span<const std::byte> bytes, const std::string& path);

  std::unique_ptr<MappedFile> file_;
  std::vector<std::string> names_;
  std::map<std::string, TensorView, std::less<>> tensors_;
  std::map<std::string, std::string> metadata_;
};

struct NamedTensor {
  std::string name;
  TensorView tensor;
};

// Writes a safetensors file. Tensors are laid out widest dtype first, else in the order given, so
// that each is aligned to its dtype; the header is padded to 8 bytes. Equal arguments give equal
// bytes. The file appears under `path` only when it is whole and on disk (written under another
// name in the same folder, then renamed); Error(kFailed) names `path` when that fails and leaves
// nothing behind. Names must be different, well-formed UTF-8 and not `__metadata__`.
void write_safetensors(const std::string& path, std::span<const NamedTensor> tensors,
                       const std::map<std::string, std::string>& metadata = {});

// The bytes of tensors[index], which live until the next call.
using TensorBytes = std::function<std::span<const std::byte>(size_t index)>;

// The same for tensors whose bytes are made one tensor at a time: `bytes_of` is asked once for
// each, in the file's order; what it throws leaves nothing behind. The views' data are not looked
// at.
void write_safetensors(const std::string& path, std::span<const NamedTensor> tensors,
                       const TensorBytes& bytes_of,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace m2
