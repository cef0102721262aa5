#include "checkpoint/tensor_file.h"

#include <cstring>

#include "checkpoint/safetensors.h"
#include "checkpoint/torch_file.h"
#include "core/error.h"
#include "core/mapped_file.h"
#include "core/text.h"

namespace m2 {
namespace {

enum class Content { kEmpty, kSafetensors, kTorch, kLfsPointer, kUnknown };

Content content_of(const std::string& path) {
  const MappedFile file(path);
  const auto bytes = file.bytes();
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.empty()) return Content::kEmpty;
  // First: the header's length, which comes before the brace, may have any bytes.
  if (text.size() > 8 && text[8] == '{') return Content::kSafetensors;
  if (text.starts_with("PK") || text.starts_with('\x80')) return Content::kTorch;
  if (text.starts_with("version https://git-lfs")) return Content::kLfsPointer;
  if (path.ends_with(".safetensors")) return Content::kSafetensors;
  return Content::kUnknown;
}

}  // namespace

std::unique_ptr<TensorFile> open_tensor_file(const std::string& path) {
  switch (content_of(path)) {
    case Content::kSafetensors:
      return std::make_unique<SafetensorsFile>(path);
    case Content::kTorch:
      return std::make_unique<TorchFile>(path);
    case Content::kEmpty:
      throw input_error(concat(path, ": is empty; download it again"));
    case Content::kLfsPointer:
      throw input_error(
          concat(path, ": is a Git LFS pointer, not the file itself; run git lfs pull"));
    case Content::kUnknown:
      break;
  }
  throw input_error(concat(path, ": is neither a safetensors file nor a PyTorch checkpoint"));
}

}  // namespace m2
